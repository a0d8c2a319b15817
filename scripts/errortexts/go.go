// Prints what Go's crypto/tls says of each fault, one case a line: what it is, a tab, the side that speaks, a tab, the text.
//
//	go run go.go FOLDER PORT-FILE
//
// FOLDER has the gallery (tlscomm pki gallery); record.py starts it and the faulty peers.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

func roots(folder string) *x509.CertPool {
	pool := x509.NewCertPool()
	text, err := os.ReadFile(filepath.Join(folder, "roots.pem"))
	if err != nil {
		panic(err)
	}
	pool.AppendCertsFromPEM(text)
	return pool
}

func client(folder, address, name string) string {
	connection, err := tls.Dial("tcp", address, &tls.Config{RootCAs: roots(folder), ServerName: name})
	if err != nil {
		return err.Error()
	}
	defer connection.Close()
	if _, err = connection.Read(make([]byte, 1)); err != nil {
		return err.Error()
	}
	return ""
}

func presenting(folder, address, kind string) string {
	configuration := &tls.Config{RootCAs: roots(folder), ServerName: "localhost"}
	if kind != "none" {
		stem := filepath.Join(folder, "client", kind)
		pair, err := tls.LoadX509KeyPair(stem+".pem", stem+".key")
		if err != nil {
			return err.Error()
		}
		configuration.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	connection, err := tls.Dial("tcp", address, configuration)
	if err != nil {
		return err.Error()
	}
	defer connection.Close()
	if _, err = connection.Read(make([]byte, 1)); err != nil {
		return err.Error()
	}
	return ""
}

func serve(folder string) {
	stem := filepath.Join(folder, "server", "good")
	pair, err := tls.LoadX509KeyPair(stem+".pem", stem+".key")
	if err != nil {
		panic(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println("port", listener.Addr().(*net.TCPAddr).Port)
	for {
		tcp, err := listener.Accept()
		if err != nil {
			return
		}
		connection := tls.Server(tcp, &tls.Config{
			Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots(folder),
		})
		text := ""
		if err := connection.Handshake(); err != nil {
			text = err.Error()
		}
		fmt.Println("said", strings.ReplaceAll(text, "\n", "\\n"))
		connection.Close()
	}
}

func main() {
	folder := os.Args[1]
	go serve(folder)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Split(lines.Text(), " ")
		if words[0] == "client" {
			fmt.Println("said", client(folder, words[1], words[2]))
		} else {
			fmt.Println("said", presenting(folder, words[1], words[2]))
		}
	}
}
