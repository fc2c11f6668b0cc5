package main

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238, as authenticator apps have it
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
)

// decodeKey reads the key of an authenticator app as people copy it: in base
// 32, in any case, with or without spaces and padding.
func decodeKey(secret string) ([]byte, error) {
	text := strings.ToUpper(strings.Join(strings.Fields(secret), ""))
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.TrimRight(text, "="))
	if err != nil || len(key) == 0 { // err would quote a part of the secret
		return nil, fmt.Errorf("%w: AUTHENTIK_TOTP_SECRET must be base 32", cli.ErrInput)
	}
	return key, nil
}

// totp returns the code of six digits that an authenticator app shows at a
// time (RFC 6238, with the defaults of authentik: SHA-1, 30 seconds).
func totp(key []byte, at time.Time) string {
	mac := hmac.New(sha1.New, key)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(at.Unix()/30))) //nolint:gosec // no time is before 1970
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 0xf
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[offset:])&0x7fffffff%1_000_000)
}
