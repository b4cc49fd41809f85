// Empty is the smallest Go program: what starting any Go program costs.
package main

func main() {}
