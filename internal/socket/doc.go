// Package socket connects processes that work on one project through named sockets in
// its folder. Only processes of the same user, and of root, get through.
package socket
