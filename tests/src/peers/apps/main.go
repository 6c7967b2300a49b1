// An app in Go: GET /, and PUT and GET /upload, by net/http.
package main

import (
	"io"
	"log"
	"net/http"
	"os"
	"sync"
)

func main() {
	var lock sync.Mutex
	var upload []byte
	http.HandleFunc("/", func(answer http.ResponseWriter, _ *http.Request) { io.WriteString(answer, "hello\n") })
	http.HandleFunc("/upload", func(answer http.ResponseWriter, request *http.Request) {
		if request.Method == http.MethodPut {
			body, err := io.ReadAll(request.Body)
			if err != nil {
				http.Error(answer, err.Error(), http.StatusBadRequest)
				return
			}
			lock.Lock()
			upload = body
			lock.Unlock()
			answer.WriteHeader(http.StatusCreated)
			return
		}
		lock.Lock()
		body := upload
		lock.Unlock()
		answer.Write(body)
	})
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}
