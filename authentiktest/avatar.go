package authentiktest

import (
	"crypto/fips140"
	"crypto/md5" //nolint:gosec // authentik derives pictures from it, no secrets
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"unicode/utf8"
)

// nobodysAvatar is the picture of a user who is not logged in.
const nobodysAvatar = "/static/dist/assets/images/user_default.png"

// avatar returns the URL of a user's picture. Servers without access to
// gravatar.com draw the initials since 2024.2. The older ones return the
// address there.
func (st *store) avatar(u *user) string {
	switch {
	case u == nil:
		return nobodysAvatar
	case st.since("2024.2"):
		return initials(u)
	case u.email == "":
		return nobodysAvatar
	case st.since("2023.1"):
		return gravatar(u.email) + "?size=158&rating=g&default=404"
	default:
		return gravatar(u.email) + "?s=158&amp;r=g"
	}
}

func gravatar(email string) string {
	sum := sumMD5(strings.ToLower(email))
	return "https://secure.gravatar.com/avatar/" + hex.EncodeToString(sum[:])
}

// sumMD5 returns an MD5 sum also where FIPS 140 is enforced: it protects
// nothing.
func sumMD5(text string) (sum [md5.Size]byte) {
	fips140.WithoutEnforcement(func() { sum = md5.Sum([]byte(text)) }) //nolint:gosec // see above
	return sum
}

// initials returns a picture with the first letters of a user's first and last
// name, on a ground whose color follows from the name.
func initials(u *user) string {
	name := u.name
	if strings.TrimSpace(name) == "" {
		name = u.username
	}
	ground, ink := colors(name)
	picture := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="64px" height="64px" viewBox="0 0 64 64" `+
		`version="1.1"><rect fill="#%s" cx="32" cy="32" width="64" height="64" r="32"/>`+
		`<text x="50%%" y="50%%" style="color: #%s; line-height: 1; font-family: `+
		`'RedHatText','Overpass',overpass,helvetica,arial,sans-serif; " fill="#%s" alignment-baseline="middle" `+
		`dominant-baseline="middle" text-anchor="middle" font-size="28" font-weight="400" dy=".1em">%s</text></svg>`,
		ground, ink, ink, escapeXML.Replace(letters(name)))
	return "data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString([]byte(picture))
}

var escapeXML = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func letters(name string) string {
	words := strings.Fields(name)
	text := ""
	if len(words) > 1 {
		first, _ := utf8.DecodeRuneInString(words[0])
		text = string(first)
	}
	if len(words) > 0 {
		text += words[len(words)-1]
	}
	runes := []rune(text)
	return strings.ToUpper(string(runes[:min(2, len(runes))]))
}

// colors returns the color of the ground for a name, and black or white for
// the letters on it.
func colors(name string) (ground, ink string) {
	sum := sumMD5(strings.ToLower(name))
	n := new(big.Int).Mod(new(big.Int).SetBytes(sum[:]), big.NewInt(0xffffff)).Int64()
	part := func(shift int) int { return int(min(max(n>>shift&0xff, 55), 200)) }
	red, green, blue := part(16), part(8), part(0)
	ink = "fff"
	if 299*red+587*green+114*blue > 186_000 {
		ink = "000"
	}
	return fmt.Sprintf("%02x%02x%02x", red, green, blue), ink
}
