package transport

import (
	"errors"
	"net"
	"net/http"
	"syscall"
)

// comingBack reports whether the server is restarting. The text of its router
// proves that. A proxy or the network proves it only if there was a server before,
// because a wrong URL looks the same.
func (c *call) comingBack(o outcome) bool {
	known := c.t.policy.WaitForServer
	switch {
	case o.response != nil && o.response.Starting:
		return true
	case o.err == nil:
		return (known || c.t.reached.Load()) && o.response.backendAway()
	case o.response == nil:
		return (known || c.t.responded.Load()) && away(o.err)
	}
	return false
}

// absence returns the word for the state of a server that is coming back.
func (o outcome) absence() string {
	if o.response != nil && o.response.Starting {
		return "starting"
	}
	return "down"
}

// backendAway reports whether a proxy says that it does not reach the server, with
// 502 of nginx, 503 of haproxy, 404 of Traefik, 520 to 523 and 530 of Cloudflare.
// A 503 with a Retry-After is that of a limiter.
func (r *Response) backendAway() bool {
	switch r.StatusCode {
	case http.StatusServiceUnavailable:
		if r.Header.Get("Retry-After") != "" {
			return false
		}
	case http.StatusNotFound, http.StatusBadGateway, 520, 521, 522, 523, 530:
	default:
		return false
	}
	return r.Foreign()
}

// away reports whether nothing is at the server's address, or whether its name
// has no address. A proxy may report that, too.
func away(err error) bool {
	if proxy, ok := errors.AsType[*ProxyError](err); ok {
		return proxy.StatusCode == http.StatusBadGateway || proxy.StatusCode == http.StatusServiceUnavailable
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return true
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && connects(op) && (op.Timeout() || socksAway(op)) {
		return true
	}
	for _, errno := range []syscall.Errno{
		syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ENETDOWN,
		winsock.refused, winsock.noRoute, winsock.unreachable, winsock.down, winsock.netDown, winsock.timedOut,
	} {
		if errors.Is(err, errno) {
			return true
		}
	}
	// Not every system has a constant for what macOS returns for a host that is
	// off.
	errno, _ := errors.AsType[syscall.Errno](err) // 0 if there is none
	return errno.Error() == "host is down"
}

// winsock has what Windows returns. The names of package syscall are for
// invented numbers there.
var winsock = struct{ netDown, unreachable, timedOut, refused, down, noRoute syscall.Errno }{
	10050, 10051, 10060, 10061, 10064, 10065,
}

// socksAway reports whether a SOCKS proxy says that it does not reach the
// server. net/http has no types for the errors of a SOCKS proxy.
func socksAway(op *net.OpError) bool {
	return op.Op == socksConnect && containsAny(op.Err.Error(),
		"general SOCKS server failure", "network unreachable", "host unreachable", "connection refused", "TTL expired")
}

// socksRefused reports whether a SOCKS proxy does not let the client connect, or
// does not speak SOCKS.
func socksRefused(op *net.OpError) bool {
	return op.Op == socksConnect && containsAny(op.Err.Error(),
		"not allowed by ruleset", "authentication", "username/password", "not supported", "protocol version")
}
