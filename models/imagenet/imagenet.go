// Package imagenet names the 1,000 classes of the ImageNet Large Scale Visual Recognition Challenge
// 2012, in the order that networks trained on it use: by WordNet identifier.
//
// The identifiers and words are those of WordNet 3.0 (© 2006 Princeton University, wordnet.princeton.edu),
// in the selection that Russakovsky et al., arXiv:1409.0575, describe.
package imagenet

import (
	_ "embed"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Classes is the number of classes.
const Classes = 1000

// synset is a class: a WordNet identifier such as n02391049, and the words for it, the commonest first.
type synset struct {
	id    string
	words []string
}

//go:embed synsets.txt
var synsetsText string

var synsets = sync.OnceValue(func() []synset {
	all := make([]synset, 0, Classes)
	for line := range strings.Lines(synsetsText) {
		id, words, _ := strings.Cut(strings.TrimSpace(line), " ")
		all = append(all, synset{id, strings.Split(words, ", ")})
	}
	return all
})

// Names returns a short name for each class, no two alike: its first word, with the second after a
// comma where another class begins with the same word ("maillot, tank suit").
func Names() []string {
	names := make([]string, 0, Classes)
	used := map[string]bool{}
	for i, s := range synsets() {
		name := s.words[0]
		if used[name] && len(s.words) > 1 {
			name += ", " + s.words[1]
		}
		// WordNet has one word for the bird and the machine.
		switch i {
		case 134:
			name = "crane (bird)"
		case 517:
			name = "crane (machine)"
		}
		used[name] = true
		names = append(names, name)
	}
	return names
}

// index returns the class with a WordNet identifier.
func index(id string) (int, bool) {
	return slices.BinarySearchFunc(synsets(), id, func(s synset, id string) int { return strings.Compare(s.id, id) })
}

var identifier = regexp.MustCompile(`n\d{8}`)

// ClassOf returns the class of an image file that is named after a WordNet identifier: in its own name
// (n02391049_zebra.JPEG), as ImageNet's training images do, or in that of its folder (n02391049/12.jpg).
func ClassOf(file string) (int, error) {
	for _, part := range []string{filepath.Base(file), filepath.Base(filepath.Dir(file))} {
		for _, id := range identifier.FindAllString(part, -1) {
			if i, ok := index(id); ok {
				return i, nil
			}
		}
	}
	return 0, fmt.Errorf("imagenet: %s: neither the file nor its folder is named after one of the %d ImageNet classes, as n02391049_zebra.jpg is", file, Classes)
}
