// SPDX-License-Identifier: MIT

// The echo server in Go: a goroutine a connection. The same arguments and first
// line as the others; see common.h. With --http it serves HTTP instead.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"runtime"
)

func echo(conn net.Conn) {
	defer conn.Close()
	var buf [1024]byte
	for {
		n, err := conn.Read(buf[:])
		if err != nil {
			return
		}
		if _, err = conn.Write(buf[:n]); err != nil {
			return
		}
	}
}

func main() {
	port := flag.Int("port", 0, "port, 0: any")
	threads := flag.Int("threads", 1, "GOMAXPROCS")
	web := flag.Bool("http", false, "HTTP instead of echo")
	flag.Parse()
	runtime.GOMAXPROCS(*threads)
	listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening", listener.Addr().(*net.TCPAddr).Port, "go", runtime.Version())
	if *web {
		body := []byte("hello, world\n")
		log.Fatal(http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Write(body)
		})))
	}
	for {
		if conn, err := listener.Accept(); err == nil {
			go echo(conn)
		}
	}
}
