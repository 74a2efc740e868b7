package git

import (
	"context"
	"fmt"
	"net/http"
)

// WriteStatus shows a verdict as a commit status whose context is its name: what a
// token may write where there is no app. GitHub keeps a thousand statuses of a commit
// and context, so the same verdict again is not written.
func (r *Reporter) WriteStatus(ctx context.Context, repository string, c CheckRun) error {
	if err := checkTarget(repository, c.HeadSHA); err != nil {
		return err
	}
	state, ok := map[string]string{"success": "success", "neutral": "success", "failure": "failure", "action_required": "failure"}[c.Conclusion]
	if !ok {
		state = "error"
	}
	description := clipped(c.Title, maxDescription)
	same, err := r.hasStatus(ctx, repository, c, state, description)
	if err != nil || same {
		return err
	}
	body := map[string]any{"state": state, "context": c.Name, "description": description}
	if c.DetailsURL != "" {
		body["target_url"] = c.DetailsURL
	}
	if _, err := r.write(ctx, http.MethodPost, "repos/"+repository+"/statuses/"+c.HeadSHA, body); err != nil {
		return fmt.Errorf("status %s on %s@%.12s: %w", c.Name, repository, c.HeadSHA, err)
	}
	return nil
}

// hasStatus tells whether the newest status of this context says the same.
func (r *Reporter) hasStatus(ctx context.Context, repository string, c CheckRun, state, description string) (bool, error) {
	same, found := false, false
	_, err := r.github.each(ctx, fmt.Sprintf("repos/%s/commits/%s/statuses?per_page=100", repository, c.HeadSHA), func(a answer) (bool, error) {
		if a.refused() {
			return false, refusedBy(a)
		}
		list, err := elements[struct {
			State       string `json:"state"`
			Context     string `json:"context"`
			Description string `json:"description"`
			TargetURL   string `json:"target_url"`
		}](a, "")
		for _, s := range list { // the newest first
			if s.Context == c.Name && !found {
				found, same = true, s.State == state && s.Description == description && s.TargetURL == c.DetailsURL
			}
		}
		return !found, err
	})
	return same, err
}
