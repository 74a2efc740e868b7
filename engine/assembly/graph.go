package assembly

import "container/heap"

// walk lists what is reached from head along recorded parents and not from base. ok is
// false when a parent that is not recorded may hide more, or when commits claim to be
// their own ancestors. It looks at children before parents, and stops where only ancestors of base are left: in a long history it looks
// at a few commits.
func (a *assembler) walk(base, head string) (shas map[string]bool, ok bool) {
	depth := a.depths()
	if len(depth) < len(a.commits) {
		return nil, false
	}
	f := frontier{depth: depth, beneath: map[string]bool{}, queued: map[string]bool{}}
	f.add(base, true)
	f.add(head, false)
	shas = map[string]bool{}
	for f.wanted > 0 {
		sha := f.next()
		c, recorded := a.commits[sha]
		if !f.beneath[sha] {
			if !recorded || len(c.Data.Parents) == 0 {
				return nil, false
			}
			shas[sha] = true
		}
		for _, parent := range c.Data.Parents {
			f.add(parent, f.beneath[sha])
		}
	}
	return shas, true
}

// frontier is where a walk is: commits to look at, the deepest first.
type frontier struct {
	depth   map[string]int
	queue   []string
	queued  map[string]bool // now or before
	beneath map[string]bool // reached from the base
	wanted  int             // of the queue, those not reached from the base
}

func (f *frontier) add(sha string, beneath bool) {
	again := f.queued[sha]
	if again && (!beneath || f.beneath[sha]) {
		return
	}
	switch {
	case again:
		f.wanted--
	case !beneath:
		f.wanted++
	}
	if beneath {
		f.beneath[sha] = true
	}
	if !again {
		f.queued[sha] = true
		heap.Push(f, sha)
	}
}

func (f *frontier) next() string {
	sha := heap.Pop(f).(string) //nolint:errcheck,forcetypeassert // see Push
	if !f.beneath[sha] {
		f.wanted--
	}
	return sha
}

func (f *frontier) Len() int           { return len(f.queue) }
func (f *frontier) Less(i, j int) bool { return f.depth[f.queue[i]] > f.depth[f.queue[j]] }
func (f *frontier) Swap(i, j int)      { f.queue[i], f.queue[j] = f.queue[j], f.queue[i] }
func (f *frontier) Push(sha any)       { f.queue = append(f.queue, sha.(string)) } //nolint:errcheck,forcetypeassert // only we push
func (f *frontier) Pop() any {
	last := f.queue[len(f.queue)-1]
	f.queue = f.queue[:len(f.queue)-1]
	return last
}

// depths gives every recorded commit a number that is greater than those of its
// parents; not every one where some claim to be their own ancestors.
func (a *assembler) depths() map[string]int {
	if a.depth != nil {
		return a.depth
	}
	a.depth = make(map[string]int, len(a.commits))
	begun := make(map[string]bool, len(a.commits))
	for _, tip := range sortedKeys(a.commits) {
		for stack := []string{tip}; len(stack) > 0; {
			sha := stack[len(stack)-1]
			if a.depth[sha] > 0 {
				stack = stack[:len(stack)-1]
				continue
			}
			parents := a.commits[sha].Data.Parents
			if !begun[sha] {
				begun[sha] = true
				for _, parent := range parents {
					if _, recorded := a.commits[parent]; recorded && !begun[parent] {
						stack = append(stack, parent)
					}
				}
				continue
			}
			deepest := 0
			for _, parent := range parents {
				if begun[parent] && a.depth[parent] == 0 {
					return a.depth
				}
				deepest = max(deepest, a.depth[parent])
			}
			a.depth[sha] = deepest + 1
		}
	}
	return a.depth
}
