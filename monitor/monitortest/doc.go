// Package monitortest makes a test binary use memory, CPU time, descriptors and
// connections, so that tests have something to limit. It needs Linux.
package monitortest
