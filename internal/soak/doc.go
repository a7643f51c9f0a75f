// Package soak is a test that lets the whole project work for as long as it is told, two pieces of work at a time, while
// files go away, contexts end, connections break and processes are killed:
//
//	go test ./internal/soak -soak 1h -timeout 70m -v
//
// Each question is answered once, undisturbed; then the time begins. The soak fails where an answer differs from the first
// one to the same question, where memory, goroutines or open files have grown by more than a tenth since the first minute
// (of six minutes or less, the first sixth), and where a file or a process is left. It looks each time that all work is done
// and nothing has begun again, every ten seconds, and after the first minute of a long soak every minute. Ctrl-C ends it.
package soak
