package challenge

// Response is what a user enters at a challenge. The structs of this package
// and pointers to them are responses, and a [RawResponse] is one to a challenge
// that this package does not know.
//
// Any type may implement Response if [encoding/json.Marshal] returns the object
// to send for it.
//
// https://api.goauthentik.io/reference/flows-executor-solve/
type Response interface {
	// Component returns the component of the challenge that is responded to.
	// The server does not compare it: it validates a response against the stage
	// that is current.
	Component() string
}

// RawResponse is a response to a challenge that this package does not know.
type RawResponse struct {
	// ComponentName is the component, such as [Unknown.Component] returns.
	ComponentName string
	// Values holds all other keys of the response. A json.RawMessage is a value,
	// too.
	Values map[string]any
}

// Component returns ComponentName.
func (r RawResponse) Component() string { return r.ComponentName }

// MarshalJSON returns Values with the component.
func (r RawResponse) MarshalJSON() ([]byte, error) { return marshalValues(r.ComponentName, r.Values) }
