// A device for Sluice in C, for POSIX and OpenSSL: takes a reading every INTERVAL_MS, keeps it in STATE_FILE until the gateway
// has `stored` it, and sends it again after a cut. README.md beside this file explains the rules.
// cc -O2 -o device device.c -lssl -lcrypto
#define _DEFAULT_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DATA_BYTES = 100, LINE_BYTES = 2048, MAX_UNCONFIRMED = 100 };
typedef long long integer;

// Writes the fields of one reading. Replace it by your sensor.
static void read_sensor(char *out, size_t size) { snprintf(out, size, "\"temperature\":%.2f", 20 + random() % 500 / 100.0); }

static struct message { integer seq; char data[DATA_BYTES]; } *kept; // taken and not stored, in the order of seq
static integer kept_count, max_kept, highest, stored = -1;           // -1: no gateway has identified the device with this file
static integer second_ms, interval_ms, next_reading, count;
static const char *host, *state_file;
static int file, file_lines, wait_factor = 1;

static BIO *connection;
static SSL_CTX *tls; // NULL without SLUICE_CA
static bool is_identified;
static integer sent, heard_at, asked_at, paused_until, told_ms;
static char replies[LINE_BYTES], end[32]; // what is no whole line yet; the code of the last reply, or how the connection ended
static int length;

static const char *setting(const char *name, const char *otherwise) { return getenv(name) ? getenv(name) : otherwise; }
static integer larger(integer a, integer b) { return a > b ? a : b; }

static integer now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

static void check(bool is_well, const char *subject) {
    if (is_well) return;
    perror(subject);
    exit(1);
}

static void append(const char *format, integer seq, const char *data) {
    check(dprintf(file, format, seq, data) > 0, state_file);
    file_lines++;
}

static const char MESSAGE[] = "{\"type\":\"metrics\",\"seq\":%lld,\"data\":%s}\n", STORED[] = "stored %lld\n";

// Takes a reading. It counts, and may be sent, once it is on the disk.
static void keep(const char *data, bool is_in_file) {
    struct message message = {.seq = highest + 1};
    snprintf(message.data, sizeof message.data, "%.99s", data);
    if (!is_in_file) {
        append(MESSAGE, message.seq, message.data);
        check(fsync(file) == 0, state_file);
    }
    if (kept_count % 1000 == 0) check((kept = realloc(kept, (kept_count + 1000) * sizeof *kept)), "memory");
    kept[kept_count++] = message;
    highest = message.seq;
}

static void take_reading(void) {
    char fields[DATA_BYTES - 32], data[DATA_BYTES];
    next_reading = now() + interval_ms;
    if (kept_count >= max_kept) fprintf(stderr, "no reading is taken: %lld messages are not stored yet\n", kept_count);
    if (kept_count >= max_kept || highest >= count) return;
    read_sensor(fields, sizeof fields);
    snprintf(data, sizeof data, "{\"n\":%lld,%s}", highest + 1, fields);
    keep(data, false);
}

static void drop(integer from, integer number) {
    memmove(kept + from, kept + from + number, (kept_count - from - number) * sizeof *kept);
    kept_count -= number;
}

static void forget(integer seq) {
    integer number = 0;
    while (number < kept_count && kept[number].seq <= seq) number++;
    drop(0, number);
    stored = larger(stored, seq);
    highest = larger(highest, seq);
}

// Writes what is still needed to a new file. A crash leaves the old file or the new one.
static void rewrite_file(void) {
    char path[4096];
    snprintf(path, sizeof path, "%s.new", state_file);
    if (file > 0) close(file);
    check((file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600)) > 0, path);
    file_lines = 0;
    append(STORED, stored, "");
    for (integer i = 0; i < kept_count; i++) append(MESSAGE, kept[i].seq, kept[i].data);
    check(fsync(file) == 0 && rename(path, state_file) == 0, path);
    int directory = open(dirname(path), O_RDONLY);
    check(fsync(directory) == 0 && close(directory) == 0, state_file);
}

static void load_file(void) {
    char *line = NULL, data[LINE_BYTES];
    size_t size = 0;
    ssize_t length;
    integer seq;
    FILE *old = fopen(state_file, "r");
    check(old || errno == ENOENT, state_file);
    // A crash may have cut off the last line. Then it was never sent, and its number is free.
    while (old && (length = getline(&line, &size, old)) > 0 && line[length - 1] == '\n') {
        if (sscanf(line, "stored %lld", &seq) == 1) forget(seq);
        if (sscanf(line, "{\"type\":\"metrics\",\"seq\":%lld,\"data\":%2000[^\n]", &seq, data) != 2) continue;
        data[strlen(data) - 1] = '\0'; // the brace of the message
        highest = seq - 1;
        keep(data, true);
    }
    if (old) fclose(old);
    free(line);
    rewrite_file();
}

static void on_stored(integer seq) {
    forget(seq);
    append(STORED, stored, "");
    if (file_lines > kept_count + 1000) rewrite_file();
}

// All waiting is done here, so that readings are taken in time whatever the connection does.
static void wait_for(short events, integer until) {
    struct pollfd at = {.fd = connection ? BIO_get_fd(connection, NULL) : -1, .events = events};
    integer ms = (until < next_reading ? until : next_reading) - now();
    poll(&at, 1, ms > 0 ? ms : 0);
    if (now() >= next_reading) take_reading();
}

static void write_line(const char *line) { // if it fails, the next read finds the end of the connection
    int size = strlen(line);
    for (int n; size > 0 && ((n = BIO_write(connection, line, size)) > 0 || BIO_should_retry(connection));) {
        if (n <= 0) wait_for(BIO_should_read(connection) ? POLLIN : POLLOUT, now() + second_ms);
        if (n > 0) line += n, size -= n;
    }
}

static void add(char *line, const char *name, const char *value) {
    size_t size = strlen(line);
    check(!strpbrk(value, "\"\\"), "a setting has a quote or a backslash");
    if (*value) snprintf(line + size, LINE_BYTES - 20 - size, "\"%s\":\"%s\",", name, value);
}

static void identify(void) {
    char line[LINE_BYTES] = "{";
    add(line, "device_id", setting("DEVICE_ID", "device-1"));
    add(line, "zipcode", setting("ZIPCODE", "90210"));
    add(line, "city", setting("CITY", "Beverly Hills"));
    add(line, "token", setting("SLUICE_TOKEN", ""));
    // A new file begins a new count, so it asks nothing.
    if (stored >= 0 && strcmp(setting("RESUME", "true"), "false") != 0) strcat(line, "\"resume\":true,");
    write_line(strcat(line, "\"type\":\"identify\"}\n"));
}

// Connects. With TLS it checks the certificate and its name. If it fails, `end` says why.
static bool open_connection(void) {
    char address[300];
    SSL *ssl = NULL;
    snprintf(address, sizeof address, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, setting("SLUICE_PORT", "8080"));
    check((connection = tls ? BIO_new_ssl_connect(tls) : BIO_new(BIO_s_connect())), "memory");
    BIO_set_conn_hostname(connection, address);
    BIO_set_nbio(connection, 1);
    if (tls) {
        BIO_get_ssl(connection, &ssl);
        SSL_set_tlsext_host_name(ssl, host);
        if (!X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host)) SSL_set1_host(ssl, host);
    }
    ERR_clear_error();
    for (integer deadline = now() + 60 * second_ms; BIO_do_connect(connection) <= 0;) {
        if (BIO_should_retry(connection) && now() < deadline) {
            wait_for(BIO_should_read(connection) ? POLLIN : POLLOUT, deadline);
            continue;
        }
        bool is_refused = ssl && (SSL_get_verify_result(ssl) != X509_V_OK || ERR_GET_REASON(ERR_peek_error()) > SSL_AD_REASON_OFFSET);
        strcpy(end, is_refused ? "certificate" : tls ? "handshake_failed" : "cut");
        return false;
    }
    return true;
}

static void send_messages(void) {
    char line[LINE_BYTES];
    for (integer i = 0; i < kept_count && i < MAX_UNCONFIRMED && is_identified && now() >= paused_until; i++) {
        if (kept[i].seq <= sent) continue;
        sent = kept[i].seq;
        snprintf(line, sizeof line, MESSAGE, kept[i].seq, kept[i].data);
        write_line(line);
    }
}

// The value of a field of a line of JSON, as text. Fields of objects inside it do not count.
static const char *field(const char *line, const char *name) {
    int depth = 0;
    for (const char *at = line; *at; at++) {
        depth += (*at == '{' || *at == '[') - (*at == '}' || *at == ']');
        if (*at != '"') continue;
        const char *text = ++at;
        for (; *at && *at != '"'; at++)
            if (*at == '\\' && at[1]) at++;
        if (!*at) break;
        if (depth == 1 && at[1] == ':' && (size_t)(at - text) == strlen(name) && strncmp(text, name, at - text) == 0) return at + 2;
    }
    return "";
}

static integer number(const char *line, const char *name) { // -1 if the field is missing or null
    integer value;
    return sscanf(field(line, name), "%lld", &value) == 1 ? value : -1;
}

static void hear(const char *line) {
    integer seq = number(line, "seq");
    char status[32] = "";
    sscanf(field(line, "status"), "\"%31[a-z_]", status);
    if (strcmp(status, "identified") == 0) {
        is_identified = true;
        on_stored(larger(number(line, "stored_seq"), 0));
    } else if (strcmp(status, "stored") == 0) {
        wait_factor = 1;
        on_stored(seq);
    } else if (strcmp(status, "closing") == 0) {
        strcpy(end, "closing");
        told_ms = number(line, "reconnect_after_ms");
    } else if (strcmp(status, "error") == 0) {
        fprintf(stderr, "refused: %s\n", line);
        sscanf(field(line, "code"), "\"%31[a-z_]", end);
        told_ms = number(line, "reconnect_after_ms");
        for (integer i = 0; i < kept_count; i++) {
            if (kept[i].seq != seq) continue;
            struct message message = kept[i];
            drop(i, 1);
            if (strcmp(end, "queue_full") != 0) break;
            keep(message.data, false); // no fault of the message; higher ones are sent already, so it needs a new seq
            paused_until = now() + second_ms;
            break;
        }
    }
}

static bool read_replies(void) { // false at the end of the connection
    for (int n; (n = BIO_read(connection, replies + length, sizeof replies - length)) > 0;) {
        char *line = replies, *feed;
        heard_at = now();
        for (length += n; (feed = memchr(line, '\n', length)); line = feed + 1) {
            *feed = '\0';
            length -= feed + 1 - line;
            hear(line);
        }
        if (length == sizeof replies) length = 0; // no reply is so long
        memmove(replies, line, length);
    }
    return BIO_should_retry(connection);
}

static bool is_done(void) { return highest >= count && kept_count == 0; }

static void talk(void) { // one connection
    is_identified = false;
    sent = paused_until = length = 0;
    told_ms = -1;
    strcpy(end, "cut");
    bool is_open = open_connection();
    heard_at = asked_at = now();
    if (is_open) identify();
    while (is_open && !is_done() && now() - heard_at < 180 * second_ms) {
        if (now() - larger(heard_at, asked_at) >= 60 * second_ms) {
            write_line("{\"type\":\"keepalive\"}\n");
            asked_at = now();
        }
        send_messages();
        wait_for(POLLIN, now() + second_ms);
        is_open = read_replies();
    }
    BIO_free_all(connection);
    connection = NULL;
}

static bool has_ended_with(const char *codes) { return strstr(codes, end); }

static integer wait_ms(void) { // until the next connection
    double jitter = 1 + random() % 1000 / 2000.0;
    integer wait = second_ms;
    if (has_ended_with("wrong_protocol tls_required")) {
        fprintf(stderr, "The address, the port or the TLS settings are wrong. No retry would help.\n");
        exit(78);
    }
    if (has_ended_with("server_full overloaded handshake_timeout handshake_failed")) wait *= 5;
    if (has_ended_with("unauthorized too_many_errors certificate")) wait *= 60;
    if (told_ms >= 0) wait = told_ms;
    if (has_ended_with("closing")) return wait;
    if (has_ended_with("kicked")) return wait * jitter;
    wait *= wait_factor;
    wait_factor = wait_factor < 30 ? wait_factor * 2 : 60;
    return wait * jitter;
}

int main(void) {
    const char *ca = setting("SLUICE_CA", "");
    signal(SIGPIPE, SIG_IGN);
    srandom(time(NULL) ^ getpid());
    host = setting("SLUICE_HOST", "localhost");
    state_file = setting("STATE_FILE", "device.state");
    interval_ms = atoll(setting("INTERVAL_MS", "60000"));
    second_ms = atoll(setting("SECOND_MS", "1000"));
    max_kept = atoll(setting("MAX_KEPT", "10000"));
    count = atoll(setting("COUNT", "9007199254740991"));
    if (*ca) {
        tls = SSL_CTX_new(TLS_client_method());
        check(SSL_CTX_load_verify_locations(tls, ca, NULL) == 1, ca);
        SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE);
    }
    load_file();
    for (take_reading(); !is_done();) {
        talk();
        if (is_done()) break;
        integer until = now() + wait_ms();
        fprintf(stderr, "no connection (%s), the next in %lld ms\n", end, until - now());
        while (now() < until) wait_for(0, until);
    }
    return 0;
}
