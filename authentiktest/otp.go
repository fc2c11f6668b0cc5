package authentiktest

import (
	"crypto/fips140"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// device is a second factor of a user.
type device struct {
	class    string // static or totp
	id       int
	key      []byte   // of a TOTP device
	step     int64    // of the last code that a TOTP device accepted
	codes    []string // those of a static device that are left
	lastUsed time.Time
	failures int // since the last code that was right
	failedAt time.Time
}

// newDevice returns a device that no user has yet.
func (st *store) newDevice(class string) *device {
	key := sha256.Sum256([]byte("authentiktest:" + class + ":" + st.id("device").String()))
	return &device{class: class, key: key[:20]}
}

// confirm adds a device to a user. Authentik numbers the devices of each
// class.
func (st *store) confirm(u *user, d *device) {
	st.ids["device:"+d.class]++
	d.id = st.ids["device:"+d.class]
	u.devices = append(u.devices, d)
}

// newCodes returns n codes of a static device.
func (st *store) newCodes(n, length int) (codes []string) {
	for range n {
		text := sha256.Sum256([]byte(st.id("code").String()))
		letters := strings.NewReplacer("-", "", "_", "").Replace(base64.URLEncoding.EncodeToString(text[:]))
		codes = append(codes, letters[:min(length, len(letters))])
	}
	return codes
}

// waits reports whether the device refuses every code, right or wrong: for a
// second after the first failure, and twice as long after each further one.
func (d *device) waits(now time.Time) bool {
	if d.failures == 0 {
		return false
	}
	return now.Sub(d.failedAt) < time.Second<<min(d.failures-1, 30)
}

// accepts reports whether a code is right, and remembers the result.
func (d *device) accepts(code string, now time.Time) bool {
	if d.waits(now) {
		return false
	}
	if !d.matches(code, now) {
		d.failures++
		d.failedAt = now
		return false
	}
	d.failures, d.lastUsed = 0, now
	return true
}

func (d *device) matches(code string, now time.Time) bool {
	if d.class == "static" {
		i := slices.Index(d.codes, code)
		if i >= 0 {
			d.codes = slices.Delete(d.codes, i, i+1)
		}
		return i >= 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(code))
	if err != nil {
		return false
	}
	for step := totpStep(now) - 1; step <= totpStep(now)+1; step++ {
		if step > d.step && totp(d.key, step) == n {
			d.step = step
			return true
		}
	}
	return false
}

// verify returns the device of a user that accepts a code, or nil. It tries
// the static devices first, and a device that does not accept the code counts
// a failure.
func (u *user) verify(code string, now time.Time) *device {
	for _, d := range u.ordered() {
		if d.accepts(code, now) {
			return d
		}
	}
	return nil
}

// ordered returns the devices of a user in authentik's order.
func (u *user) ordered() []*device {
	return slices.SortedStableFunc(slices.Values(u.devices), func(a, b *device) int {
		return strings.Compare(a.class, b.class)
	})
}

// totpPeriod is how long a code is shown.
const totpPeriod = 30

func totpStep(at time.Time) int64 { return at.Unix() / totpPeriod }

// totp returns a code of six digits (RFC 6238), also where FIPS 140 is
// enforced.
func totp(key []byte, step int64) int {
	var sum []byte
	fips140.WithoutEnforcement(func() {
		mac := hmac.New(sha1.New, key)
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(step))) //nolint:gosec // no time is before 1970
		sum = mac.Sum(nil)
	})
	offset := sum[len(sum)-1] & 0xf
	return int(binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff % 1_000_000)
}

// configURL returns what an authenticator app scans to set up a device.
func (d *device) configURL(username string) string {
	return "otpauth://totp/" + strings.ReplaceAll(url.QueryEscape("authentik:"+username), "+", "%20") +
		"?secret=" + base32.StdEncoding.EncodeToString(d.key) + "&algorithm=SHA1&digits=6&period=30&issuer=authentik"
}
