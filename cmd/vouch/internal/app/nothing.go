package app

import "errors"

// ErrNothing says that there are no events, or none that a policy could judge.
var ErrNothing = errors.New("nothing to judge")

// nothing makes an error one that says ErrNothing, in its own words.
func nothing(err error) error { return nothingError{err} }

type nothingError struct{ error }

// Is implements what errors.Is asks for.
func (nothingError) Is(target error) bool { return target == ErrNothing }
