// Package tidy is the rules of the house as a test: who may import whom, where
// clocks, goroutines, files and randomness are allowed, where third-party code
// belongs, and that every package says what it is. The tables are in rules.go;
// a failure names the rule's reason.
package tidy
