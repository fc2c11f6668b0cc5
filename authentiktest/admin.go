package authentiktest

import "net/http"

func (st *store) adminVersion(q request) reply {
	if a, refused := q.refused(false); refused {
		return a
	}
	version := object{{"version_current", st.name}, {"version_latest", st.name}}
	if st.since("2024.10") {
		version = append(version, member{"version_latest_valid", true})
	}
	version = append(version, member{"build_hash", ""}, member{"outdated", false})
	if st.since("2024.10") {
		version = append(version, member{"outpost_outdated", false})
	}
	return q.json(http.StatusOK, version)
}

func (st *store) usersMe(q request) reply {
	if a, refused := q.refused(false); refused {
		return a
	}
	a := q.json(http.StatusOK, object{{"user", st.me(q.user)}})
	if q.session != nil {
		a.cookies = []string{q.cookieFor(q.session, q.user)}
	}
	return a
}
