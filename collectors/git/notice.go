package git

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// Notifier tells people by issues and comments. It can do nothing else. Safe for
// concurrent use.
type Notifier struct {
	reporter Reporter
}

var noticePath = regexp.MustCompile(`^/(api/v3/)?repos/[^/]+/[^/]+/issues(/[0-9]+/comments)?$`)

// ConnectNotifier prepares to write as an app or with a token. It reaches no network
// yet.
func ConnectNotifier(o Options) (*Notifier, error) {
	g, err := connect(o, func(r *http.Request) bool {
		return r.Method == http.MethodGet || r.Method == http.MethodPost && noticePath.MatchString(r.URL.Path)
	})
	if err != nil {
		return nil, err
	}
	return &Notifier{Reporter{github: g}}, nil
}

// Notice is what people are told. Mark stands in the body and in no other notice: by it
// a notice is found that was written before.
type Notice struct {
	Title, Body string // Markdown
	Mark        string
}

// maxBody is how many characters GitHub takes of an issue or a comment.
const maxBody = 65536

// Open writes a notice as an issue of a repository, unless one of the hundred newest is
// that already.
func (n *Notifier) Open(ctx context.Context, repository string, notice Notice) error {
	path := "repos/" + repository + "/issues"
	return n.write(ctx, repository, path, path+"?state=all&sort=created&direction=desc&per_page=100", notice,
		map[string]any{"title": clipped(notice.Title, maxTitle), "body": clipped(notice.Body, maxBody)}, false)
}

// Comment writes a notice under an issue or a pull request, unless it stands there.
func (n *Notifier) Comment(ctx context.Context, repository string, number int, notice Notice) error {
	path := fmt.Sprintf("repos/%s/issues/%d/comments", repository, number)
	return n.write(ctx, repository, path, path+"?per_page=100", notice,
		map[string]any{"body": clipped("**"+notice.Title+"**\n\n"+notice.Body, maxBody)}, true)
}

func (n *Notifier) write(ctx context.Context, repository, path, list string, notice Notice, body map[string]any, whole bool) error {
	owner, name, ok := strings.Cut(repository, "/")
	if !ok || !isName(owner) || !isName(name) {
		return fmt.Errorf("repository %q: expected OWNER/NAME, such as acme/shop", repository)
	}
	there := false
	_, err := n.reporter.github.each(ctx, list, func(a answer) (bool, error) {
		if a.refused() {
			return false, refusedBy(a)
		}
		page, err := elements[struct {
			Body string `json:"body"`
		}](a, "")
		for _, one := range page {
			there = there || strings.Contains(one.Body, notice.Mark)
		}
		return whole && !there, err
	})
	if err != nil || there {
		return err
	}
	_, err = n.reporter.write(ctx, http.MethodPost, path, body)
	return err
}
