package git

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/changevouch/changevouch/engine"
)

type file struct {
	Filename  string `json:"filename"`
	Previous  string `json:"previous_filename"`
	Status    string `json:"status"`
	Additions *int   `json:"additions"`
	Deletions *int   `json:"deletions"`
	Patch     string `json:"patch"`
}

func (f file) facts() (engine.FileFacts, error) {
	if f.Filename == "" || f.Status == "" {
		return engine.FileFacts{}, errors.New("file without filename or status")
	}
	return engine.FileFacts{Path: f.Filename, PreviousPath: f.Previous, Status: f.Status,
		Additions: f.Additions, Deletions: f.Deletions, Patch: f.Patch}, nil
}

// pullFiles maps the changed files of a pull request.
func (m *mapper) pullFiles(rt route, elements []json.RawMessage, x extent) (string, error) {
	if rt.repo == "" || rt.number <= 0 {
		return "", errors.New("files of an unknown pull request: record them at repos/OWNER/NAME/pulls/N/files.json")
	}
	list := engine.FileListFact{Repository: rt.repo, Number: &rt.number, Files: []engine.FileFacts{}, Complete: x.complete}
	for i, raw := range elements {
		var f file
		err := json.Unmarshal(raw, &f)
		var facts engine.FileFacts
		if err == nil {
			facts, err = f.facts()
		}
		if err != nil {
			m.Fault(record(i), err)
			list.Complete = false
			continue
		}
		list.Files = append(list.Files, facts)
	}
	cut := ""
	if reaches(pullFileCap, rt, len(elements)) {
		list.Complete, cut = false, "GitHub lists at most 3000 files of a pull request"
	}
	if x.page > 0 {
		list.Page = &x.page
	}
	if list.Complete && x.page == 0 {
		list.DependencyUpdates = patchedUpdates(list.Files)
	}
	m.snapshot(fmt.Sprintf("files:%s#%d", rt.repo, rt.number), "change.files_listed", m.Observed(), nil, pullSubject(rt.repo, rt.number), list)
	return cut, nil
}

// commitFiles records the files of one commit. GitHub gives 300 on a page.
func (m *mapper) commitFiles(rt route, c commit) {
	list := engine.FileListFact{Repository: rt.repo, SHA: sha(c.SHA), Files: []engine.FileFacts{}}
	for i, f := range c.Files {
		facts, err := f.facts()
		if err != nil {
			m.Fault("files/"+record(i), err)
			continue
		}
		list.Files = append(list.Files, facts)
	}
	list.Complete = len(list.Files) == len(c.Files) && len(c.Files) < commitFileCap && !m.payload.NextPage
	if rt.page > 1 || m.payload.NextPage {
		page := max(rt.page, 1)
		list.Page = &page
	}
	if list.Complete && list.Page == nil {
		list.DependencyUpdates = patchedUpdates(list.Files)
	}
	m.listFiles(list, c.Commit.Committer)
}

// listFiles records the files of a commit, which never change.
func (m *mapper) listFiles(list engine.FileListFact, committer *signature) {
	var at time.Time
	if committer != nil {
		at = m.byClient(committer.Date.Time)
	}
	m.snapshot(fmt.Sprintf("files:%s:%s", list.Repository, list.SHA), "change.files_listed", at, nil, commitSubject(list.SHA), list)
}
