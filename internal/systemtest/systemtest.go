// Package systemtest holds the tests and benchmarks of whole homes, in virtual time
// and over a real broker: the stories in testdata, the sweep of power cuts, pacing,
// published figures. It is a package of its own so that no room of the product links
// brokers and certificates for its tests.
package systemtest
