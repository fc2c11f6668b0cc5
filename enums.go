package authentik

import "slices"

// FlowDesignation is what a flow is for. A newer server may have values
// that this library does not know: see Known.
type FlowDesignation string

// The values of FlowDesignation.
const (
	FlowDesignationAuthentication     FlowDesignation = "authentication"      // in every release
	FlowDesignationAuthorization      FlowDesignation = "authorization"       // in every release
	FlowDesignationInvalidation       FlowDesignation = "invalidation"        // in every release
	FlowDesignationEnrollment         FlowDesignation = "enrollment"          // in every release
	FlowDesignationUnenrollment       FlowDesignation = "unenrollment"        // in every release
	FlowDesignationRecovery           FlowDesignation = "recovery"            // in every release
	FlowDesignationStageConfiguration FlowDesignation = "stage_configuration" // in every release
)

var flowDesignations = []string{
	string(FlowDesignationAuthentication),
	string(FlowDesignationAuthorization),
	string(FlowDesignationInvalidation),
	string(FlowDesignationEnrollment),
	string(FlowDesignationUnenrollment),
	string(FlowDesignationRecovery),
	string(FlowDesignationStageConfiguration),
}

// Known reports whether it is one of the constants.
func (d FlowDesignation) Known() bool { return slices.Contains(flowDesignations, string(d)) }

// FlowLayout is how a flow is laid out on the screen. A newer server may have values
// that this library does not know: see Known.
type FlowLayout string

// The values of FlowLayout.
const (
	FlowLayoutStacked                     FlowLayout = "stacked"                        // since 2022.5
	FlowLayoutContentLeft                 FlowLayout = "content_left"                   // since 2022.5
	FlowLayoutContentRight                FlowLayout = "content_right"                  // since 2022.5
	FlowLayoutSidebarLeft                 FlowLayout = "sidebar_left"                   // since 2022.5
	FlowLayoutSidebarRight                FlowLayout = "sidebar_right"                  // since 2022.5
	FlowLayoutSidebarLeftFrameBackground  FlowLayout = "sidebar_left_frame_background"  // since 2026.2
	FlowLayoutSidebarRightFrameBackground FlowLayout = "sidebar_right_frame_background" // since 2026.2
)

var flowLayouts = []string{
	string(FlowLayoutStacked),
	string(FlowLayoutContentLeft),
	string(FlowLayoutContentRight),
	string(FlowLayoutSidebarLeft),
	string(FlowLayoutSidebarRight),
	string(FlowLayoutSidebarLeftFrameBackground),
	string(FlowLayoutSidebarRightFrameBackground),
}

// Known reports whether it is one of the constants.
func (l FlowLayout) Known() bool { return slices.Contains(flowLayouts, string(l)) }

// FlowDeniedAction is what happens to a user whom the policies of a flow deny. A newer server may have values
// that this library does not know: see Known.
type FlowDeniedAction string

// The values of FlowDeniedAction.
const (
	FlowDeniedActionMessageContinue FlowDeniedAction = "message_continue" // since 2022.7; the default: a message, or on to the next URL if there is one
	FlowDeniedActionMessage         FlowDeniedAction = "message"          // since 2022.7
	FlowDeniedActionContinue        FlowDeniedAction = "continue"         // since 2022.7
)

var flowDeniedActions = []string{
	string(FlowDeniedActionMessageContinue),
	string(FlowDeniedActionMessage),
	string(FlowDeniedActionContinue),
}

// Known reports whether it is one of the constants.
func (d FlowDeniedAction) Known() bool { return slices.Contains(flowDeniedActions, string(d)) }

// FlowAuthentication is who may run a flow. A newer server may have values
// that this library does not know: see Known.
type FlowAuthentication string

// The values of FlowAuthentication.
const (
	FlowAuthenticationNone                   FlowAuthentication = "none"                    // since 2022.12; the default
	FlowAuthenticationRequireAuthenticated   FlowAuthentication = "require_authenticated"   // since 2022.12
	FlowAuthenticationRequireUnauthenticated FlowAuthentication = "require_unauthenticated" // since 2022.12
	FlowAuthenticationRequireSuperuser       FlowAuthentication = "require_superuser"       // since 2022.12
	FlowAuthenticationRequireOutpost         FlowAuthentication = "require_outpost"         // since 2024.2
	FlowAuthenticationRequireRedirect        FlowAuthentication = "require_redirect"        // since 2024.12
	FlowAuthenticationRequireToken           FlowAuthentication = "require_token"           // since 2026.5
)

var flowAuthentications = []string{
	string(FlowAuthenticationNone),
	string(FlowAuthenticationRequireAuthenticated),
	string(FlowAuthenticationRequireUnauthenticated),
	string(FlowAuthenticationRequireSuperuser),
	string(FlowAuthenticationRequireOutpost),
	string(FlowAuthenticationRequireRedirect),
	string(FlowAuthenticationRequireToken),
}

// Known reports whether it is one of the constants.
func (a FlowAuthentication) Known() bool { return slices.Contains(flowAuthentications, string(a)) }

// PolicyEngineMode is how many policies must pass. A newer server may have values
// that this library does not know: see Known.
type PolicyEngineMode string

// The values of PolicyEngineMode.
const (
	PolicyEngineModeAll PolicyEngineMode = "all" // in every release
	PolicyEngineModeAny PolicyEngineMode = "any" // in every release; the default
)

var policyEngineModes = []string{
	string(PolicyEngineModeAll),
	string(PolicyEngineModeAny),
}

// Known reports whether it is one of the constants.
func (p PolicyEngineMode) Known() bool { return slices.Contains(policyEngineModes, string(p)) }

// InvalidResponseAction is what a flow does when a stage is answered wrongly. A newer server may have values
// that this library does not know: see Known.
type InvalidResponseAction string

// The values of InvalidResponseAction.
const (
	InvalidResponseActionRetry              InvalidResponseAction = "retry"                // in every release; the default
	InvalidResponseActionRestart            InvalidResponseAction = "restart"              // in every release
	InvalidResponseActionRestartWithContext InvalidResponseAction = "restart_with_context" // in every release
)

var invalidResponseActions = []string{
	string(InvalidResponseActionRetry),
	string(InvalidResponseActionRestart),
	string(InvalidResponseActionRestartWithContext),
}

// Known reports whether it is one of the constants.
func (i InvalidResponseAction) Known() bool {
	return slices.Contains(invalidResponseActions, string(i))
}
