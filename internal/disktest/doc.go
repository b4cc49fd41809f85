// Package disktest lets a disk fail, for tests of what must be durable.
package disktest
