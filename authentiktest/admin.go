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
	return q.json(http.StatusOK, object{{"user", q.user.me}})
}

func (st *store) cacheInfo(q request) reply {
	if a, refused := q.refused(false); refused {
		return a
	}
	if !q.user.superuser && !q.user.may("authentik_flows.view_flow_cache") {
		return q.detail(http.StatusForbidden, noPermission)
	}
	count := 0
	for _, flow := range st.flows {
		count += flow.CacheCount
	}
	return q.json(http.StatusOK, object{{"count", count}})
}
