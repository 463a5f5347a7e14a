// A device for Sluice in the style of a microcontroller: static memory only, no JSON library, no floating point, nothing that
// blocks. A ring of slots in RAM, with a copy in flash, takes the place of the file of the other devices. To port it, replace
// the first part, which is for POSIX; the rest is plain C. It has no TLS: with lwIP and mbedTLS that goes into the four net_
// functions. README.md beside this file explains the rules.
// cc -O2 -o microcontroller microcontroller.c
#define _DEFAULT_SOURCE
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// ---------------------------------------------------------------- the board

static int net = -1, flash = -1;

static const char *setting(const char *name, const char *otherwise) { return getenv(name) ? getenv(name) : otherwise; }

// In hundredths of a degree. Replace it by your sensor.
static int32_t read_sensor(void) { return 2000 + (int32_t)(random() % 500); }

// It must differ from device to device, so seed it with noise or the serial number of the chip.
static uint32_t random_below(uint32_t limit) { return (uint32_t)random() % limit; }

// Wraps around after 49 days, which is_due allows for.
static uint32_t clock_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint32_t)t.tv_sec * 1000u + (uint32_t)(t.tv_nsec / 1000000);
}

// Sleeps until bytes come, or the time is over. It may return earlier.
static void idle(uint32_t ms) {
    struct pollfd at = {.fd = net, .events = POLLIN};
    poll(&at, 1, (int)ms);
}

// Begins to connect. Returns false if that has failed already. Here the question for the address blocks; lwIP has
// dns_gethostbyname, which does not.
static bool net_open(void) {
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
    if (getaddrinfo(setting("SLUICE_HOST", "localhost"), setting("SLUICE_PORT", "8080"), &hints, &found) != 0) return false;
    net = socket(AF_INET, SOCK_STREAM, 0);
    fcntl(net, F_SETFL, O_NONBLOCK);
    connect(net, found->ai_addr, found->ai_addrlen); // net_send tells whether it succeeds
    freeaddrinfo(found);
    return net >= 0;
}

// Returns how many bytes were taken: 0 = none at present, also until it is connected; -1 = the connection has ended.
static int net_send(const char *bytes, int length) {
    struct pollfd at = {.fd = net, .events = POLLOUT};
    if (poll(&at, 1, 0) == 0) return 0;
    return (int)send(net, bytes, (size_t)length, MSG_NOSIGNAL);
}

// Returns how many bytes came: 0 = none at present; -1 = the connection has ended.
static int net_receive(char *bytes, int length) {
    struct pollfd at = {.fd = net, .events = POLLIN};
    if (poll(&at, 1, 0) == 0) return 0;
    int n = (int)recv(net, bytes, (size_t)length, 0);
    return n > 0 ? n : -1;
}

static void net_close(void) {
    close(net);
    net = -1;
}

static void flash_read(uint32_t at, void *bytes, size_t length) {
    if (flash >= 0 && pread(flash, bytes, length, at) < 0) memset(bytes, 0xff, length);
}

// Returns once the bytes survive a loss of power.
static bool flash_write(uint32_t at, const void *bytes, size_t length) {
    return flash < 0 || (pwrite(flash, bytes, length, at) == (ssize_t)length && fsync(flash) == 0);
}

// --------------------------------------------------------------- the device

// SLOTS may only be changed while nothing waits in the flash.
enum { SLOTS = 256, MAX_UNCONFIRMED = 32 };

// The slot of a seq is seq % SLOTS, so each part of the flash is written equally often.
struct slot {
    uint32_t seq; // 0 = free
    uint32_t n;   // number of the reading, which keeps it if the message gets a new seq
    int32_t value;
    uint32_t stored; // when the slot was written, all up to this seq were stored
    uint32_t check;
};
static struct slot slots[SLOTS]; // one more, in flash only, says that a gateway knows the count of this flash
static bool is_known;
static uint32_t highest, stored; // the highest seq that was used; all up to here are stored
static uint32_t interval_ms, second_ms, max_kept, count;

static enum { WAITING, OPEN, IDENTIFIED } state;
static uint32_t reading_at, open_at, keepalive_at, silent_at, resume_sending_at;
static uint32_t sent, wait_factor = 1; // the highest seq that was sent on this connection; of the next wait
static char out[1600], in[512];
static int out_length, in_length; // what is not sent yet; of a reply whose end has not come
static char end_code[32] = "";    // of the last error, or closing
static int64_t told_ms;           // by it: when to come back. -1 = not told

static bool is_due(uint32_t at) { return (int32_t)(clock_ms() - at) >= 0; }
static uint32_t after_s(uint32_t seconds) { return clock_ms() + seconds * second_ms; }

// FNV-1a of all but the check itself. Flash that was never written has ff everywhere, and no check of that value.
static uint32_t check_of(const struct slot *slot) {
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < offsetof(struct slot, check); i++) hash = (hash ^ ((const uint8_t *)slot)[i]) * 16777619u;
    return hash;
}

static bool write_slot(uint32_t index, struct slot slot) {
    slot.check = check_of(&slot);
    if (!flash_write(index * sizeof slot, &slot, sizeof slot)) return false;
    if (index < SLOTS) slots[index] = slot;
    return true;
}

static void load_flash(void) {
    for (uint32_t i = 0; i <= SLOTS; i++) {
        struct slot slot = {0};
        flash_read(i * sizeof slot, &slot, sizeof slot);
        if (slot.check != check_of(&slot)) continue; // never written, or power was lost meanwhile
        if (slot.stored > stored) stored = slot.stored;
        if (slot.seq > highest) highest = slot.seq;
        if (i == SLOTS) is_known = true;
        else slots[i] = slot;
    }
    if (stored > highest) highest = stored;
}

static uint32_t kept_up_to(uint32_t seq) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < SLOTS; i++) kept += slots[i].seq > stored && slots[i].seq <= seq;
    return kept;
}

// A reading may be sent once it is in the flash. A slot that is not stored is never written over.
static bool keep(uint32_t n, int32_t value) {
    uint32_t seq = highest + 1;
    if (kept_up_to(highest) >= max_kept || slots[seq % SLOTS].seq > stored) return false;
    if (!write_slot(seq % SLOTS, (struct slot){.seq = seq, .n = n, .value = value, .stored = stored})) return false;
    highest = seq;
    return true;
}

static void take_reading(void) {
    reading_at = clock_ms() + interval_ms;
    if (highest >= count || keep(highest + 1, read_sensor())) return;
    fprintf(stderr, "no reading is taken: the slots are full, or the flash fails\n");
}

static void say_known(void) { is_known = write_slot(SLOTS, (struct slot){.stored = stored}); }

static void on_stored(uint32_t seq) {
    if (seq > stored) stored = seq;
    if (stored <= highest) return;
    highest = stored;
    say_known(); // the next reading must not begin below, not even after a restart
}

static bool has_ended_with(const char *codes) { return *end_code && strstr(codes, end_code); }

// Ends the connection and says when the next one begins.
static void end(const char *why) {
    uint32_t ms = second_ms;
    if (has_ended_with("wrong_protocol tls_required")) {
        fprintf(stderr, "The address, the port or the TLS settings are wrong. No retry would help.\n");
        exit(78);
    }
    if (has_ended_with("server_full overloaded")) ms *= 5;
    if (has_ended_with("unauthorized too_many_errors")) ms *= 60;
    if (told_ms >= 0) ms = (uint32_t)told_ms;
    if (!has_ended_with("closing kicked")) {
        ms *= wait_factor;
        wait_factor = wait_factor < 30 ? wait_factor * 2 : 60;
    }
    if (!has_ended_with("closing")) ms += ms / 1000 * random_below(500) + random_below(ms % 1000 / 2 + 1);
    fprintf(stderr, "no connection (%s %s), the next in %lu ms\n", why, end_code, (unsigned long)ms);
    net_close();
    state = WAITING;
    open_at = clock_ms() + ms;
}

// Only while nothing else waits to be sent.
static void put(const char *line) {
    out_length = snprintf(out, sizeof out, "%s\n", line);
}

static void add(const char *name, const char *value) {
    size_t length = strlen(out);
    if (strlen(value) + length > sizeof out - 200 || strpbrk(value, "\"\\")) {
        fprintf(stderr, "%s has a quote or a backslash, or is too long\n", name);
        exit(78);
    }
    if (*value) sprintf(out + length, "\"%s\":\"%s\",", name, value);
}

static void begin(void) {
    sent = 0;
    in_length = out_length = 0;
    end_code[0] = '\0';
    told_ms = -1;
    resume_sending_at = clock_ms();
    silent_at = keepalive_at = after_s(60);
    if (!net_open()) {
        end("cut");
        return;
    }
    strcpy(out, "{");
    add("device_id", setting("DEVICE_ID", "device-1"));
    add("zipcode", setting("ZIPCODE", "90210"));
    add("city", setting("CITY", "Beverly Hills"));
    add("token", setting("SLUICE_TOKEN", ""));
    // A new flash begins a new count, so it asks nothing.
    if (is_known && strcmp(setting("RESUME", "true"), "false") != 0) strcat(out, "\"resume\":true,");
    out_length = (int)strlen(strcat(out, "\"type\":\"identify\"}\n"));
    state = OPEN;
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
        if (depth == 1 && at[1] == ':' && (size_t)(at - text) == strlen(name) && memcmp(text, name, strlen(name)) == 0) return at + 2;
    }
    return "";
}

// Copies at most 31 letters of a text.
static void copy(char *to, const char *value) {
    int length = 0;
    for (; *value == '"' && length < 31 && value[length + 1] && value[length + 1] != '"'; length++) to[length] = value[length + 1];
    to[length] = '\0';
}

// -1 if the field is missing or null.
static int64_t number(const char *line, const char *name) {
    const char *value = field(line, name);
    return *value >= '0' && *value <= '9' ? strtoll(value, NULL, 10) : -1;
}

// Takes a message out that no gateway will store.
static void on_refused(struct slot *slot) {
    if (has_ended_with("queue_full")) { // no fault of the message; higher ones are sent already, so it needs a new seq
        resume_sending_at = after_s(1);
        if (!keep(slot->n, slot->value)) {
            end("no slot"); // the next connection sends it again
            return;
        }
    }
    slot->seq = 0;
}

static void hear(const char *line) {
    char status[32];
    int64_t seq = number(line, "seq"), stored_seq = number(line, "stored_seq");
    copy(status, field(line, "status"));
    if (strcmp(status, "identified") == 0) {
        state = IDENTIFIED;
        if (stored_seq >= 0) on_stored((uint32_t)stored_seq);
        if (!is_known) say_known();
    } else if (strcmp(status, "stored") == 0 && seq >= 0) {
        wait_factor = 1;
        on_stored((uint32_t)seq);
    } else if (strcmp(status, "closing") == 0) {
        strcpy(end_code, "closing");
        told_ms = number(line, "reconnect_after_ms");
    } else if (strcmp(status, "error") == 0) {
        fprintf(stderr, "refused: %s\n", line);
        copy(end_code, field(line, "code"));
        told_ms = number(line, "reconnect_after_ms");
        if (seq > stored && slots[seq % SLOTS].seq == seq) on_refused(&slots[seq % SLOTS]);
    }
}

static void receive(void) {
    char bytes[64];
    int n = net_receive(bytes, sizeof bytes);
    if (n > 0) {
        keepalive_at = after_s(60);
        silent_at = after_s(180);
    }
    for (int i = 0; i < n && state != WAITING; i++) {
        if (bytes[i] == '\n') {
            in[in_length] = '\0';
            in_length = 0;
            hear(in);
        } else if (in_length < (int)sizeof in - 1) {
            in[in_length++] = bytes[i]; // what is longer is only text for people
        }
    }
    if (n < 0) end("cut");
}

// Puts the next message that may be sent into the buffer, or a keepalive if nothing was heard for a minute.
static void put_next(void) {
    static char line[160];
    if (sent < stored) sent = stored;
    while (is_due(resume_sending_at) && sent < highest && kept_up_to(sent) < MAX_UNCONFIRMED) {
        const struct slot *slot = &slots[++sent % SLOTS];
        if (slot->seq != sent) continue; // it was refused
        unsigned long absolute = (unsigned long)(slot->value < 0 ? -slot->value : slot->value);
        snprintf(line, sizeof line, "{\"type\":\"metrics\",\"seq\":%lu,\"data\":{\"n\":%lu,\"temperature\":%s%lu.%02lu}}",
                 (unsigned long)sent, (unsigned long)slot->n, slot->value < 0 ? "-" : "", absolute / 100, absolute % 100);
        put(line);
        return;
    }
    if (!is_due(keepalive_at)) return;
    put("{\"type\":\"keepalive\"}");
    keepalive_at = after_s(60);
}

static void flush(void) {
    int n = out_length > 0 ? net_send(out, out_length) : 0;
    if (n < 0) {
        end("cut");
        return;
    }
    out_length -= n;
    memmove(out, out + n, (size_t)out_length);
}

// One turn of the loop. It never blocks.
static void step(void) {
    if (is_due(reading_at)) take_reading();
    if (state == WAITING && is_due(open_at)) begin();
    if (state != WAITING) receive();
    if (state == IDENTIFIED && out_length == 0) put_next();
    if (state != WAITING) flush();
    if (state != WAITING && is_due(silent_at)) end("silent");
}

static uint32_t number_setting(const char *name, const char *otherwise) { return (uint32_t)strtoul(setting(name, otherwise), NULL, 10); }

int main(void) {
    interval_ms = number_setting("INTERVAL_MS", "60000");
    second_ms = number_setting("SECOND_MS", "1000");
    max_kept = number_setting("MAX_KEPT", "256");
    count = number_setting("COUNT", "4294967295");
    if (*setting("SLUICE_CA", "")) {
        fprintf(stderr, "SLUICE_CA is set, but this device has no TLS\n");
        return 78;
    }
    srandom((unsigned)(time(NULL) ^ getpid()));
    flash = open(setting("STATE_FILE", "device.state"), O_RDWR | O_CREAT, 0600);
    load_flash();
    for (reading_at = open_at = clock_ms(); highest < count || kept_up_to(highest) > 0;) {
        step();
        idle(out_length > 0 || is_due(reading_at) ? 1 : 10);
    }
    say_known(); // so that the flash says that all is stored
    return 0;
}
