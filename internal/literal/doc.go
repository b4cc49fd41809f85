// Package literal reads times, durations, sizes and the values of arguments as users write
// them, for every flag and every setting.
package literal
