// Go's crypto/tls: a goroutine for each connection, which reads through bufio and echoes messages that end with <EOF>.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
)

const eof = "<EOF>"

func main() {
	// The server has one core, and the others have one thread that works.
	runtime.GOMAXPROCS(1)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", configuration(os.Args[1]))
	exitOn(err)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	for {
		connection, err := listener.Accept()
		exitOn(err)
		go echo(connection)
	}
}

func configuration(folder string) *tls.Config {
	pair, err := tls.LoadX509KeyPair(filepath.Join(folder, "server.pem"), filepath.Join(folder, "server.key"))
	exitOn(err)
	authority, err := os.ReadFile(filepath.Join(folder, "ca.pem"))
	exitOn(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	return &tls.Config{
		Certificates: []tls.Certificate{pair},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    pool,
	}
}

func echo(connection net.Conn) {
	defer connection.Close()
	reader := bufio.NewReader(connection)
	var message []byte
	for {
		piece, err := reader.ReadBytes('>')
		if err != nil {
			return
		}
		if message = append(message, piece...); !bytes.HasSuffix(message, []byte(eof)) {
			continue
		}
		if _, err := connection.Write(message); err != nil {
			return
		}
		message = message[:0]
	}
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
