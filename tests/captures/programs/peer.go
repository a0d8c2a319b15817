// A server that sends back the first line of each client, or a client that says one line, by Go's crypto/tls.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"time"
)

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// Arguments: server|client, address, version, identity or -, roots, name, key log, times, options.
func main() {
	config := &tls.Config{ServerName: os.Args[6], MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12}
	if os.Args[3] == "1.3" {
		config.MinVersion, config.MaxVersion = tls.VersionTLS13, tls.VersionTLS13
	}
	log, err := os.OpenFile(os.Args[7], os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0600)
	check(err)
	config.KeyLogWriter = log
	if os.Args[4] != "-" {
		identity, err := tls.LoadX509KeyPair(os.Args[4], os.Args[4])
		check(err)
		config.Certificates = []tls.Certificate{identity}
	}
	pem, err := os.ReadFile(os.Args[5])
	check(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	config.RootCAs, config.ClientCAs = roots, roots
	config.ClientAuth = tls.RequireAndVerifyClientCert
	config.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	if len(os.Args) > 9 {
		config.NextProtos = os.Args[9:]
	}
	if os.Args[1] == "server" {
		serve(config)
	} else if os.Args[8] == "2" {
		say(config)
		say(config)
	} else {
		say(config)
	}
}

func serve(config *tls.Config) {
	listener, err := tls.Listen("tcp", os.Args[2], config)
	check(err)
	fmt.Println("listening")
	for {
		connection, err := listener.Accept()
		check(err)
		connection.SetDeadline(time.Now().Add(5 * time.Second))
		line, err := bufio.NewReader(connection).ReadString('\n')
		if err != nil {
			fmt.Println(err)
		} else {
			fmt.Fprint(connection, line)
		}
		connection.Close()
	}
}

func say(config *tls.Config) {
	connection, err := tls.Dial("tcp", os.Args[2], config)
	check(err)
	fmt.Fprintln(connection, "hello")
	line, err := bufio.NewReader(connection).ReadString('\n')
	check(err)
	fmt.Print(line)
	connection.Close()
}
