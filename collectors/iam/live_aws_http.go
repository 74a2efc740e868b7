package iam

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/changevouch/changevouch/collectors"
)

// awsAttempt bounds one attempt, with its body.
const awsAttempt = 90 * time.Second

// patient makes the SDK try again as the other clients do: eight times, also
// when an answer breaks off midway, and not without a word.
func patient(config sdk.Config, notice func(string)) sdk.Config {
	config = config.Copy()
	if config.HTTPClient == nil {
		config.HTTPClient = awshttp.NewBuildableClient()
	}
	config.HTTPClient = wholeAnswers{config.HTTPClient}
	standard := config.Retryer
	if standard == nil {
		standard = func() sdk.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts, o.MaxBackoff, o.RateLimiter = 8, 30*time.Second, ratelimit.None
			})
		}
	}
	config.Retryer = func() sdk.Retryer { return audible{standard(), notice} }
	return config
}

// audible tells of every wait.
type audible struct {
	sdk.Retryer
	notice func(string)
}

// RetryDelay implements aws.Retryer.
func (a audible) RetryDelay(attempt int, err error) (time.Duration, error) {
	d, delayErr := a.Retryer.RetryDelay(attempt, err)
	if delayErr == nil && a.notice != nil {
		a.notice(fmt.Sprintf("AWS limits requests or cannot be reached: trying again in %s", d.Round(time.Millisecond)))
	}
	return d, delayErr
}

// wholeAnswers reads the whole of a bounded answer before it hands it on.
type wholeAnswers struct{ inner sdk.HTTPClient }

// Do implements aws.HTTPClient.
func (c wholeAnswers) Do(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(r.Context(), awsAttempt)
	defer cancel()
	resp, err := c.inner.Do(r.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, collectors.MaxFileSize+1))
	switch {
	case err != nil:
		return nil, brokenOff{err}
	case len(body) > collectors.MaxFileSize:
		return nil, fmt.Errorf("an answer larger than %d MiB", collectors.MaxFileSize>>20)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// brokenOff is an answer that ended before its end: the SDK tries again.
type brokenOff struct{ error }

// ConnectionError marks it as such for the SDK.
func (brokenOff) ConnectionError() bool { return true }

// Unwrap returns the cause.
func (b brokenOff) Unwrap() error { return b.error }
