package challenge

import "reflect"

// ResponseTypes maps each component to the struct of its response.
var ResponseTypes = func() map[string]reflect.Type {
	types := map[string]reflect.Type{}
	for _, c := range components {
		if c.response != nil {
			types[c.name] = reflect.TypeOf(c.response).Elem()
		}
	}
	return types
}()

// ChallengeTypes maps each component to the struct of its challenge.
var ChallengeTypes = challengeTypes
