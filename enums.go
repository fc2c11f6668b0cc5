package authentik

import (
	"encoding/json"
	"errors"
	"strings"
)

//go:generate go run ./internal/cmd/enums

// FlowDesignation is the purpose of a flow. A newer server may send a value
// that this library does not know: see Known.
type FlowDesignation string

// The values of FlowDesignation.
const (
	FlowDesignationAuthentication     FlowDesignation = "authentication"
	FlowDesignationAuthorization      FlowDesignation = "authorization"
	FlowDesignationInvalidation       FlowDesignation = "invalidation"
	FlowDesignationEnrollment         FlowDesignation = "enrollment"
	FlowDesignationUnenrollment       FlowDesignation = "unenrollment"
	FlowDesignationRecovery           FlowDesignation = "recovery"
	FlowDesignationStageConfiguration FlowDesignation = "stage_configuration"
)

// FlowLayout is the layout of a flow on the screen. A newer server may send a
// value that this library does not know: see Known.
type FlowLayout string

// The values of FlowLayout. The default is FlowLayoutStacked.
const (
	FlowLayoutStacked                     FlowLayout = "stacked"                        // since 2022.5
	FlowLayoutContentLeft                 FlowLayout = "content_left"                   // since 2022.5
	FlowLayoutContentRight                FlowLayout = "content_right"                  // since 2022.5
	FlowLayoutSidebarLeft                 FlowLayout = "sidebar_left"                   // since 2022.5
	FlowLayoutSidebarRight                FlowLayout = "sidebar_right"                  // since 2022.5
	FlowLayoutSidebarLeftFrameBackground  FlowLayout = "sidebar_left_frame_background"  // since 2026.2
	FlowLayoutSidebarRightFrameBackground FlowLayout = "sidebar_right_frame_background" // since 2026.2
)

// FlowDeniedAction is what happens to a user whom the policies of a flow deny.
// A newer server may send a value that this library does not know: see Known.
type FlowDeniedAction string

// The values of FlowDeniedAction. The default is
// FlowDeniedActionMessageContinue, which redirects to the next URL if there is
// one, and shows a message otherwise.
const (
	FlowDeniedActionMessageContinue FlowDeniedAction = "message_continue" // since 2022.7
	FlowDeniedActionMessage         FlowDeniedAction = "message"          // since 2022.7
	FlowDeniedActionContinue        FlowDeniedAction = "continue"         // since 2022.7
)

// FlowAuthentication restricts who may run a flow. A newer server may send a
// value that this library does not know: see Known.
type FlowAuthentication string

// The values of FlowAuthentication. The default is FlowAuthenticationNone.
const (
	FlowAuthenticationNone                   FlowAuthentication = "none"                    // since 2022.12
	FlowAuthenticationRequireAuthenticated   FlowAuthentication = "require_authenticated"   // since 2022.12
	FlowAuthenticationRequireUnauthenticated FlowAuthentication = "require_unauthenticated" // since 2022.12
	FlowAuthenticationRequireSuperuser       FlowAuthentication = "require_superuser"       // since 2022.12
	FlowAuthenticationRequireOutpost         FlowAuthentication = "require_outpost"         // since 2024.2
	FlowAuthenticationRequireRedirect        FlowAuthentication = "require_redirect"        // since 2024.12
	FlowAuthenticationRequireToken           FlowAuthentication = "require_token"           // since 2026.5
)

// PolicyEngineMode is the number of bound policies that must pass. A newer
// server may send a value that this library does not know: see Known.
type PolicyEngineMode string

// The values of PolicyEngineMode. The default is PolicyEngineModeAny.
const (
	PolicyEngineModeAll PolicyEngineMode = "all"
	PolicyEngineModeAny PolicyEngineMode = "any"
)

// InvalidResponseAction is what a flow does after an invalid response to a
// stage. A newer server may send a value that this library does not know: see
// Known.
type InvalidResponseAction string

// The values of InvalidResponseAction. The default is
// InvalidResponseActionRetry.
const (
	InvalidResponseActionRetry              InvalidResponseAction = "retry"
	InvalidResponseActionRestart            InvalidResponseAction = "restart"
	InvalidResponseActionRestartWithContext InvalidResponseAction = "restart_with_context"
)

// UsedByAction is what happens to an object when another one, to which it
// refers, is deleted. A newer server may send a value that this library does
// not know: see Known. Servers up to 2023.10 send upper case, which becomes
// lower case.
type UsedByAction string

// The values of UsedByAction: the object is deleted, its many-to-many entry is
// deleted, its reference is emptied, set to its default, or leads nowhere.
const (
	UsedByActionCascade      UsedByAction = "cascade"
	UsedByActionCascadeMany  UsedByAction = "cascade_many"
	UsedByActionSetNull      UsedByAction = "set_null"
	UsedByActionSetDefault   UsedByAction = "set_default"
	UsedByActionLeftDangling UsedByAction = "left_dangling" // since 2025.12
)

// UnmarshalJSON decodes a value in lower or upper case.
func (v *UsedByAction) UnmarshalJSON(data []byte) error {
	var text *string
	if err := json.Unmarshal(data, &text); err != nil || text == nil {
		return errors.New("want a string")
	}
	*v = UsedByAction(strings.ToLower(*text))
	return nil
}
