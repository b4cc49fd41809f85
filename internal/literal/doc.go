// Package literal reads times, durations and the values of arguments as users write them.
package literal
