// A tool server and its load, for tests/bench/run-mcp.
//
//	mcp mock ADDRESS BYTES        modern and legacy, with sessions; stdio with "-"
//	mcp load URL CONNECTIONS SECONDS HEADER   calls as fast as answers come
//	mcp sessions URL COUNT HEADER             opens legacy sessions and leaves them
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const modern = "2026-07-28"

type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		Meta map[string]json.RawMessage `json:"_meta"`
	} `json:"params"`
}

func main() {
	arguments := os.Args[1:]
	switch {
	case len(arguments) == 3 && arguments[0] == "mock":
		mock(arguments[1], number(arguments[2]))
	case len(arguments) == 5 && arguments[0] == "load":
		load(arguments[1], number(arguments[2]), number(arguments[3]), arguments[4])
	case len(arguments) == 4 && arguments[0] == "sessions":
		sessions(arguments[1], number(arguments[2]), arguments[3])
	default:
		log.Fatal("usage: mcp mock|load|sessions …; see the source")
	}
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	if err != nil {
		log.Fatal(err)
	}
	return value
}

// answer is the result of a request, as JSON; empty for what has none.
func answer(asked message, text string) string {
	switch asked.Method {
	case "server/discover":
		return `{"resultType":"complete","supportedVersions":["` + modern + `"],"capabilities":{"tools":{}},"ttlMs":0,"cacheScope":"public"}`
	case "initialize":
		return `{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"mock","version":"1"}}`
	case "tools/list":
		return `{"resultType":"complete","ttlMs":60000,"cacheScope":"public","tools":[{"name":"echo","inputSchema":{"type":"object"}}]}`
	case "tools/call":
		return `{"resultType":"complete","content":[{"type":"text","text":"` + text + `"}]}`
	case "ping":
		return `{}`
	}
	return ""
}

func mock(address string, size int) {
	text := strings.Repeat("x", size)
	if address == "-" {
		stdio(text)
		return
	}
	var opened atomic.Int64
	handler := func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		body, _ := io.ReadAll(r.Body)
		var asked message
		if json.Unmarshal(body, &asked) != nil || len(asked.ID) == 0 {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		if asked.Method == "initialize" {
			w.Header().Set("Mcp-Session-Id", fmt.Sprintf("%032x", opened.Add(1)))
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, asked.ID, answer(asked, text))
	}
	log.Fatal(http.ListenAndServe(address, http.HandlerFunc(handler)))
}

func stdio(text string) {
	lines := bufio.NewReaderSize(os.Stdin, 4<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var asked message
		if json.Unmarshal(line, &asked) != nil || len(asked.ID) == 0 {
			continue
		}
		result := answer(asked, text)
		if asked.Method == "server/discover" || result == "" {
			fmt.Printf(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"unknown"}}`+"\n", asked.ID)
			continue
		}
		fmt.Printf(`{"jsonrpc":"2.0","id":%s,"result":%s}`+"\n", asked.ID, result)
	}
}

// peer speaks to one endpoint over one connection.
type peer struct {
	client  *http.Client
	url     string
	header  [2]string
	session string
}

func newPeer(url, header string) *peer {
	name, value, _ := strings.Cut(header, ": ")
	transport := &http.Transport{MaxIdleConnsPerHost: 1, DialContext: (&net.Dialer{}).DialContext}
	return &peer{client: &http.Client{Transport: transport}, url: url, header: [2]string{name, value}}
}

func (p *peer) post(body string, headers map[string]string) ([]byte, error) {
	request, err := http.NewRequest(http.MethodPost, p.url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, text/event-stream")
	if p.header[0] != "" {
		request.Header.Set(p.header[0], p.header[1])
	}
	if p.session != "" {
		request.Header.Set("Mcp-Session-Id", p.session)
	}
	for key, value := range headers {
		request.Header.Set(key, value)
	}
	response, err := p.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if id := response.Header.Get("Mcp-Session-Id"); id != "" && p.session == "" {
		p.session = id
	}
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= 300 {
		err = fmt.Errorf("%s: %.200s", response.Status, answer)
	}
	return answer, err
}

const hello = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}`

// open begins a legacy session.
func (p *peer) open() error {
	if _, err := p.post(hello, nil); err != nil {
		return err
	}
	_, err := p.post(`{"jsonrpc":"2.0","method":"notifications/initialized"}`, legacy)
	return err
}

var legacy = map[string]string{"MCP-Protocol-Version": "2025-11-25"}

// load measures legacy calls, which every server and proxy under test speaks.
func load(url string, connections, seconds int, header string) {
	var wait sync.WaitGroup
	var lock sync.Mutex
	var all []time.Duration
	failed := 0
	begin := time.Now()
	end := begin.Add(time.Duration(seconds) * time.Second)
	for range connections {
		wait.Go(func() {
			var mine []time.Duration
			broken := 0
			p := newPeer(url, header)
			if err := p.open(); err != nil {
				log.Fatal(err)
			}
			for id := 1; time.Now().Before(end); id++ {
				call := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"echo","arguments":{}}}`, id)
				at := time.Now()
				answer, err := p.post(call, legacy)
				if err != nil || !bytes.Contains(answer, []byte(`"content"`)) {
					broken++
					continue
				}
				mine = append(mine, time.Since(at))
			}
			lock.Lock()
			defer lock.Unlock()
			all = append(all, mine...)
			failed += broken
		})
	}
	wait.Wait()
	took := time.Since(begin).Seconds()
	sort.Slice(all, func(a, b int) bool { return all[a] < all[b] })
	at := func(share float64) float64 {
		if len(all) == 0 {
			return 0
		}
		return float64(all[int(share*float64(len(all)-1))].Nanoseconds()) / 1e3
	}
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"requests": len(all), "failed": failed,
		"requestsPerSecond": float64(len(all)) / took,
		"p50":               at(0.5), "p99": at(0.99),
	})
}

func sessions(url string, count int, header string) {
	p := newPeer(url, header)
	for range count {
		p.session = ""
		if err := p.open(); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(count)
}
