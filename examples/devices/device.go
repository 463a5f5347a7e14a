// A device in Go, with the standard library only: takes a reading every INTERVAL_MS, keeps it in STATE_FILE until the gateway
// has `stored` it, and sends it again after a cut. README.md beside this file explains the rules. It needs Go 1.19.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log"
	"math/rand"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// readSensor gives the fields of one reading. Replace it by your sensor.
func readSensor() string { return fmt.Sprintf(`"temperature":%.2f`, 20+5*rand.Float64()) }

var (
	host, path = setting("SLUICE_HOST", "localhost"), setting("STATE_FILE", "device.state")
	count      = number("COUNT", 1<<53)
	second     = time.Duration(number("SECOND_MS", 1000)) * time.Millisecond
	secret     *tls.Config // nil without SLUICE_CA
)

// The first wait after such an end of a connection, in seconds, if it is not one.
var firstWaits = map[string]time.Duration{
	"server_full": 5, "overloaded": 5, "handshake_timeout": 5, "handshake_failed": 5,
	"unauthorized": 60, "too_many_errors": 60, "certificate": 60,
}

type reply struct {
	Status, Code, Message string
	Seq                   int64
	StoredSeq             int64  `json:"stored_seq"` // null leaves 0
	ReconnectAfterMs      *int64 `json:"reconnect_after_ms"`
}

type message struct {
	Seq  int64
	line string
}

type device struct {
	sync.Mutex
	file       *os.File
	lines      int       // of the file
	kept       []message // that are not stored, in the order of seq
	highest    int64     // the highest seq that was used
	stored     int64     // all up to here are stored; -1: no gateway knows the count of this file
	waitFactor time.Duration
	conn       net.Conn  // nil until the gateway has identified the device
	sent       int64     // the highest seq that was sent on this connection
	sendAt     time.Time // when messages may be sent
}

func (d *device) loadFile() {
	content, err := os.ReadFile(path)
	if !os.IsNotExist(err) {
		must(err)
	}
	for _, line := range strings.Split(string(content), "\n") {
		var m message
		var seq int64
		// A crash may have cut off the last line. Then it is no JSON, it was never sent, and its number is free.
		if json.Unmarshal([]byte(line), &m) == nil {
			d.kept, d.highest = append(d.kept, message{m.Seq, line}), m.Seq
		} else if n, _ := fmt.Sscanf(line, "stored %d", &seq); n == 1 {
			d.forget(seq)
		}
	}
	d.rewriteFile()
}

// rewriteFile writes what is still needed to a new file. A crash leaves the old file or the new one.
func (d *device) rewriteFile() {
	var err error
	d.file, err = os.Create(path + ".new")
	must(err)
	d.lines = 0
	d.append(fmt.Sprintf("stored %d", d.stored))
	for _, m := range d.kept {
		d.append(m.line)
	}
	must(d.file.Sync())
	must(os.Rename(path+".new", path))
	directory, err := os.Open(filepath.Dir(path))
	must(err)
	must(directory.Sync())
	must(directory.Close())
}

func (d *device) append(line string) {
	_, err := d.file.WriteString(line + "\n")
	must(err)
	d.lines++
}

// keep gives a reading the next seq. It may be sent once it is on the disk.
func (d *device) keep(data string) {
	d.highest++
	line := fmt.Sprintf(`{"type":"metrics","seq":%d,"data":%s}`, d.highest, data)
	d.append(line)
	must(d.file.Sync())
	d.kept = append(d.kept, message{d.highest, line})
}

func (d *device) takeReading() {
	d.Lock()
	defer d.Unlock()
	if len(d.kept) >= int(number("MAX_KEPT", 10000)) {
		log.Printf("no reading is taken: %d wait to be stored", len(d.kept))
	} else if d.highest < count {
		d.keep(fmt.Sprintf(`{"n":%d,%s}`, d.highest+1, readSensor()))
	}
	d.send()
}

func (d *device) forget(seq int64) {
	for len(d.kept) > 0 && d.kept[0].Seq <= seq {
		d.kept = d.kept[1:]
	}
	d.stored, d.highest = larger(d.stored, seq), larger(d.highest, seq)
}

func (d *device) onStored(seq int64) {
	d.forget(seq)
	d.append(fmt.Sprintf("stored %d", d.stored))
	if d.lines > len(d.kept)+1000 {
		must(d.file.Close())
		d.rewriteFile()
	}
}

// send writes what may be sent: in order, and at most 100 messages that are not confirmed.
func (d *device) send() {
	if d.highest >= count && len(d.kept) == 0 {
		os.Exit(0)
	}
	for i := 0; i < len(d.kept) && i < 100 && d.conn != nil && time.Now().After(d.sendAt); i++ {
		if m := d.kept[i]; m.Seq > d.sent {
			fmt.Fprintln(d.conn, m.line) // if it fails, talk notices the end
			d.sent = m.Seq
		}
	}
}

func (d *device) identify(conn net.Conn) {
	// A new file begins a new count, so it asks nothing.
	fields := map[string]any{"type": "identify", "resume": d.stored >= 0 && os.Getenv("RESUME") != "false"}
	fields["device_id"], fields["token"] = setting("DEVICE_ID", "device-1"), os.Getenv("SLUICE_TOKEN")
	fields["zipcode"], fields["city"] = setting("ZIPCODE", "90210"), setting("CITY", "Beverly Hills")
	for name, value := range fields {
		if value == "" || value == false { // a field may be left out, but not be empty
			delete(fields, name)
		}
	}
	line, _ := json.Marshal(fields)
	fmt.Fprintf(conn, "%s\n", line)
}

// talk is one connection. It returns the gateway's last words on it.
func (d *device) talk() reply {
	end := reply{Code: "cut"}
	conn, err := dial()
	if err != nil && secret != nil {
		end.Code = "handshake_failed"
	} else if err == nil {
		var ask *time.Timer // whether the gateway is there
		ask = time.AfterFunc(60*second, func() {
			fmt.Fprintln(conn, `{"type":"keepalive"}`)
			ask.Reset(60 * second)
		})
		d.identify(conn)
		lines := bufio.NewScanner(conn)
		for conn.SetReadDeadline(time.Now().Add(180*second)) == nil && lines.Scan() {
			ask.Reset(60 * second)
			var r reply
			if json.Unmarshal(lines.Bytes(), &r) != nil {
				continue // it was cut off, and says nothing
			}
			if r.Status == "error" || r.Status == "closing" {
				end = r
			}
			d.hear(r, conn)
		}
		err = lines.Err()
		ask.Stop()
		conn.Close()
		d.Lock()
		d.conn = nil
		d.Unlock()
	}
	if strings.Contains(fmt.Sprint(err), "certificate") {
		end.Code = "certificate" // one side refuses that of the other
	}
	log.Printf("the connection has ended: %s %s (%v)", end.Code, end.Message, err)
	return end
}

func dial() (net.Conn, error) {
	address, dialer := net.JoinHostPort(host, setting("SLUICE_PORT", "8080")), &net.Dialer{Timeout: 60 * second}
	if secret == nil {
		return dialer.Dial("tcp", address)
	}
	return tls.DialWithDialer(dialer, "tcp", address, secret)
}

func (d *device) hear(r reply, conn net.Conn) {
	d.Lock()
	defer d.Unlock()
	switch r.Status {
	case "identified":
		d.conn, d.sent, d.sendAt = conn, 0, time.Time{}
		d.onStored(r.StoredSeq)
	case "stored":
		d.waitFactor = 1
		d.onStored(r.Seq)
	case "error":
		log.Printf("error %s of seq %d: %s", r.Code, r.Seq, r.Message)
		for i, m := range d.kept {
			if m.Seq != r.Seq {
				continue
			}
			d.kept = append(d.kept[:i:i], d.kept[i+1:]...)
			if r.Code == "queue_full" { // no fault of the message; higher ones are sent already, so it needs a new seq
				_, data, _ := strings.Cut(strings.TrimSuffix(m.line, "}"), `"data":`)
				d.keep(data)
				d.sendAt = time.Now().Add(second)
			}
			break
		}
	}
	d.send()
}

// wait says how long to wait before the next connection.
func (d *device) wait(end reply) time.Duration {
	wait, jitter := second, 1+rand.Float64()/2
	if first, isListed := firstWaits[end.Code]; isListed {
		wait = first * second
	}
	if end.ReconnectAfterMs != nil {
		wait = time.Duration(*end.ReconnectAfterMs) * time.Millisecond
	}
	switch {
	case end.Code == "wrong_protocol" || end.Code == "tls_required":
		log.Print("The address, the port or the TLS settings are wrong. No retry would help.")
		os.Exit(78)
	case end.Status == "closing":
		return wait
	case end.Code != "kicked":
		wait *= d.waitFactor
		if d.waitFactor *= 2; d.waitFactor > 60 {
			d.waitFactor = 60
		}
	}
	return time.Duration(float64(wait) * jitter)
}

func main() {
	rand.Seed(time.Now().UnixNano()) // before Go 1.20 all devices would draw the same waits
	if file := os.Getenv("SLUICE_CA"); file != "" {
		pem, err := os.ReadFile(file)
		must(err)
		secret = &tls.Config{RootCAs: x509.NewCertPool(), ClientSessionCache: tls.NewLRUClientSessionCache(1)}
		secret.RootCAs.AppendCertsFromPEM(pem)
	}
	d := &device{stored: -1, waitFactor: 1}
	d.loadFile()
	d.takeReading()
	go func() {
		for range time.Tick(time.Duration(number("INTERVAL_MS", 60000)) * time.Millisecond) {
			d.takeReading()
		}
	}()
	for {
		time.Sleep(d.wait(d.talk()))
	}
}

func setting(name, otherwise string) string {
	if value, isSet := os.LookupEnv(name); isSet {
		return value
	}
	return otherwise
}

func number(name string, otherwise int64) int64 {
	if n, err := strconv.ParseInt(os.Getenv(name), 10, 64); err == nil {
		return n
	}
	return otherwise
}

func larger(a, b int64) int64 {
	if a > b {
		return a
	}
	return b
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
