/* A load generator for servers that pass a group's messages on to its members: tchat, IRC, redis, and over WebSocket.
 *
 * One process, one epoll, loopback only. It counts deliveries: one delivery is one occurrence, in what one member
 * receives, of a text that begins with MARK. The text carries its sender and its number, so a message that is missing,
 * doubled or out of order is seen at every member, and the time when it was due, so waiting counts as latency.
 *
 *     generator PROTOCOL PORT[,PORT] MODE [name=value]... prints one line of JSON; tests/bench/README.md explains it
 *
 * With two ports, the connections are on either in turn, and only what crosses from one to the other has a latency.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST_SENDERS 40          /* members 0 to senders - 1 speak, all listen */
#define NODES 2
#define PAYLOAD 100              /* bytes of a text: MARK, time, sender, number, then padding */
#define MARK "|Qz|"
#define MARK_LEN 4
#define HEAD_LEN (MARK_LEN + 16 + 1 + 8)
#define READ_BYTES (1 << 18)
#define TAIL_BYTES 64            /* what is kept of a read, because something may be cut there */

/* What a protocol writes. %1$d is the number of the connection; the texts that answer are looked for, nothing else is
 * read. With `echoes` a sender hears itself. With a `path` it is spoken in WebSocket frames behind a handshake for that
 * path; what comes is looked through as it is, for a server's frames are not masked. */
typedef struct {
    const char *name, *hello, *welcome, *create, *join, *joined, *before, *after, *ask, *answer;
    int echoes;
    const char *path;
} protocol;

static const protocol PROTOCOLS[] = {
    {"tchat",
     "{\"from\":\"u%1$d\",\"action\":\"client-hello\"}\n", "\"server-hello\"",
     "{\"sender\":\"u%1$d\",\"group\":\"g\",\"action\":\"cgroupe\"}\n",
     "{\"sender\":\"u%1$d\",\"group\":\"g\",\"action\":\"join\"}\n", "\"seq\"",
     "{\"sender\":\"u%1$d\",\"group\":\"g\",\"msg\":\"", "\",\"action\":\"gbroadcast\"}\n",
     "{\"sender\":\"u%1$d\",\"group\":\"g\",\"action\":\"members\"}\n", "\n", 1},
    {"irc",
     "NICK u%1$d\r\nUSER u%1$d 0 * :x\r\n", " 001 ",
     "JOIN #g\r\n", "JOIN #g\r\n", " 366 ",
     "PRIVMSG #g :", "\r\n",
     "NAMES #g\r\n", " 366 ", 0},
    {"redis",
     "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n", "modules",
     "*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\ng\r\n", "*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\ng\r\n", "subscribe",
     "*3\r\n$7\r\nPUBLISH\r\n$1\r\ng\r\n$100\r\n", "\r\n",
     "*3\r\n$6\r\nPUBSUB\r\n$6\r\nNUMSUB\r\n$1\r\ng\r\n", "\r\n:", 1},
    {"tchat-web",
     "{\"from\":\"u%1$d\",\"action\":\"client-hello\"}", "\"server-hello\"",
     "{\"sender\":\"u%1$d\",\"group\":\"g\",\"action\":\"cgroupe\"}",
     "{\"sender\":\"u%1$d\",\"group\":\"g\",\"action\":\"join\"}", "\"seq\"",
     "{\"sender\":\"u%1$d\",\"group\":\"g\",\"msg\":\"", "\",\"action\":\"gbroadcast\"}",
     "{\"sender\":\"u%1$d\",\"group\":\"g\",\"action\":\"members\"}", "\"members\"", 1, "/tchat"},
    {"relay",                   /* every text goes to all who joined: see relay.py, relay.js */
     "hello", "welcome", "join", "join", "joined", "", "", "ask", "answer", 1, "/"},
    {"socket.io",
     "40", "40{\"sid\"", "42[\"join\"]", "42[\"join\"]", "joined", "42[\"say\",\"", "\"]",
     "42[\"ask\"]", "answer", 1, "/socket.io/?EIO=4&transport=websocket"},
};

#define UPGRADE "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
#define MOST_TEXT 512

enum state { CONNECTING, UPGRADING, GREETING, NAMED, JOINING, MEMBER };

typedef struct {
    int fd, id, is_blocked;
    enum state state;
    size_t out_len, out_cap, tail_len;
    char *out, tail[TAIL_BYTES];
    uint32_t last[MOST_SENDERS]; /* the number last heard of each sender */
    uint64_t begun;
} connection;

typedef struct {                 /* a moment: what had happened until then */
    uint64_t at, delivered, reads;
    double own_cpu, server_cpu;
} moment;

static double members = 10, window = 64, rate = 1000, seconds = 1, warm = 0.3, stalled, pid, concurrency = 64,
    senders = 4, patience = 5;                /* seconds after which what has not come is lost */
static const struct { const char *name; double *value; } OPTIONS[] = {
    {"members", &members}, {"window", &window}, {"rate", &rate}, {"seconds", &seconds}, {"warm", &warm},
    {"stalled", &stalled}, {"pid", &pid}, {"concurrency", &concurrency}, {"senders", &senders},
    {"patience", &patience},
};

static const protocol *P;
static connection *connections;
static int epoll_fd, ports[NODES], nodes, is_asking;
static char buffer[TAIL_BYTES + READ_BYTES];
static uint64_t sent, delivered, disordered, reads, answers, last_read, upgraded, named, joined, sample_from;
static uint32_t *samples, numbers[MOST_SENDERS];     /* latencies in ns, at most 4 s */
static size_t sample_count, sample_cap;

static void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("generator: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    exit(2);
}

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + t.tv_nsec;
}

static double since(uint64_t begun) { return (now() - begun) / 1e9; }

/* --- what a process costs --- */

static double server_cpu(void) {                /* seconds, all threads */
    char path[64], text[1024];
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    char *rest = strrchr(text, ')');
    if (rest) sscanf(rest + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    return (double)(user + system) / sysconf(_SC_CLK_TCK);
}

static long server_kb(const char *field) {
    char path[64], line[256];
    long kb = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, field, strlen(field))) kb = atol(line + strlen(field) + 1);
    if (file) fclose(file);
    return kb;
}

static moment take(void) {
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    double own = r.ru_utime.tv_sec + r.ru_stime.tv_sec + (r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
    return (moment){now(), delivered, reads, own, server_cpu()};
}

static void print_shares(moment a, moment b) {  /* the end of every line of JSON */
    double took = (b.at - a.at) / 1e9;
    printf("\"server_share\":%.3f,\"generator_share\":%.3f,\"peak_kb\":%ld}\n", (b.server_cpu - a.server_cpu) / took,
           (b.own_cpu - a.own_cpu) / took, server_kb("VmHWM:"));
}

/* --- out --- */

static void watch_writing(connection *c, int is_blocked) {
    struct epoll_event event = {.events = EPOLLIN | (is_blocked ? EPOLLOUT : 0), .data.ptr = c};
    if (c->is_blocked != is_blocked) epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
    c->is_blocked = is_blocked;
}

static void flush(connection *c) {
    while (c->out_len) {
        ssize_t n = send(c->fd, c->out, c->out_len, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) break;
        if (n < 0) die("can't write to connection %d: %s", c->id, strerror(errno));
        memmove(c->out, c->out + n, c->out_len -= n);
    }
    watch_writing(c, c->out_len > 0);
}

static char *room(connection *c, size_t n) {
    if (c->out_len + n > c->out_cap && !(c->out = realloc(c->out, c->out_cap = 2 * (c->out_len + n)))) die("no memory");
    return c->out + c->out_len;
}

/* Write a text, in a frame if the protocol has them. The mask is all zeros: what it would hide is no secret here. */
static void put_text(connection *c, const char *text, size_t length) {
    char *to = room(c, length + 8), *head = to;
    if (P->path) {
        *to++ = (char)0x81;
        if (length < 126) *to++ = (char)(0x80 | length);
        else *to++ = (char)0xFE, *to++ = (char)(length >> 8), *to++ = (char)length;
        memset(to, 0, 4);
        to += 4;
    }
    memcpy(to, text, length);
    c->out_len += to + length - head;
}

static void put(connection *c, const char *format) {
    char text[MOST_TEXT];
    put_text(c, text, snprintf(text, sizeof text, format, c->id));
}

static char *put_hex(char *to, uint64_t value, int digits) {
    while (digits--) *to++ = "0123456789abcdef"[value >> 4 * digits & 15];
    return to;
}

static void say(connection *c, uint64_t due) {
    char text[MOST_TEXT], *from = text + snprintf(text, sizeof text - PAYLOAD, P->before, c->id), *to = from;
    memcpy(to, MARK, MARK_LEN);
    to = put_hex(to + MARK_LEN, due, 16);
    *to++ = '0' + c->id;
    to = put_hex(to, ++numbers[c->id], 8);
    memset(to, 'x', from + PAYLOAD - to);
    to = stpcpy(from + PAYLOAD, P->after);
    put_text(c, text, to - text);
    sent++;
}

/* --- in --- */

static uint64_t hex(const char *from, int digits) {
    uint64_t value = 0;
    for (; digits--; from++) value = value << 4 | (uint64_t)(*from <= '9' ? *from - '0' : *from - 'a' + 10);
    return value;
}

static void heard(connection *c, const char *head, uint64_t t) {
    unsigned sender = head[MARK_LEN + 16] - '0';
    uint32_t number = hex(head + MARK_LEN + 17, 8);
    delivered++;
    if (sender >= senders || number != c->last[sender] + 1) disordered++;
    if (sender < senders) c->last[sender] = number;
    if (sample_from && (nodes == 1 || sender % nodes != c->id % nodes)) {
        uint64_t due = hex(head + MARK_LEN, 16), waited = t > due ? t - due : 0;
        if (due >= sample_from && sample_count < sample_cap)
            samples[sample_count++] = waited < UINT32_MAX ? waited : UINT32_MAX;
    }
}

/* Count the texts from `at` on; return where what may be the beginning of one is cut off. */
static const char *count_texts(connection *c, const char *at, const char *end) {
    uint64_t t = sample_from ? now() : 0;
    while ((at = memchr(at, MARK[0], end - at))) {
        size_t left = end - at;
        if (memcmp(at, MARK, left < MARK_LEN ? left : MARK_LEN)) at++;
        else if (left < HEAD_LEN) return at;
        else heard(c, at, t), at += HEAD_LEN;
    }
    return end;
}

static const char *count_answers(const char *at, const char *end) {
    size_t length = strlen(P->answer);
    for (const char *found; (found = memmem(at, end - at, P->answer, length)); at = found + length) answers++;
    return (size_t)(end - at) < length ? at : end - length + 1;
}

/* Look for what says that a step of the handshake is done. */
static const char *step(connection *c, const char *at, const char *end, const char *text, uint64_t *count) {
    size_t length = strlen(text);
    if (!memmem(at, end - at, text, length)) return (size_t)(end - at) < length ? at : end - length + 1;
    c->state++;
    ++*count;
    return end;
}

static void read_from(connection *c) {
    const char *at = buffer + TAIL_BYTES - c->tail_len, *end;
    ssize_t n = recv(c->fd, buffer + TAIL_BYTES, READ_BYTES, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) die("the server closed connection %d: %s", c->id, n ? strerror(errno) : "end of stream");
    reads++;
    last_read = now();
    memcpy(buffer + TAIL_BYTES - c->tail_len, c->tail, c->tail_len);
    end = buffer + TAIL_BYTES + n;
    if (c->state == UPGRADING) {
        at = step(c, at, end, "\r\n\r\n", &upgraded);
        if (c->state == GREETING) put(c, P->hello), flush(c);
    } else if (c->state == GREETING) {
        at = step(c, at, end, P->welcome, &named);
        if (c->state == NAMED && sample_count < sample_cap) samples[sample_count++] = now() - c->begun;
    } else if (c->state == JOINING) at = step(c, at, end, P->joined, &joined);
    else if (c->state == MEMBER) at = is_asking ? count_answers(at, end) : count_texts(c, at, end);
    else at = end;
    memcpy(c->tail, at, c->tail_len = end - at);
}

static void turn(double timeout) {              /* of the event loop; seconds */
    static struct epoll_event events[1024];
    struct timespec t = {timeout, (timeout - (time_t)timeout) * 1e9};
    int n = epoll_pwait2(epoll_fd, events, 1024, &t, NULL);
    for (int i = 0; i < n; i++) {
        connection *c = events[i].data.ptr;
        if (c->state == CONNECTING) {
            int error = 0;
            socklen_t size = sizeof error;
            getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
            if (error) die("can't connect: %s", strerror(error));
            c->state = P->path ? UPGRADING : GREETING;
            if (P->path) c->out_len = snprintf(room(c, MOST_TEXT), MOST_TEXT, UPGRADE, P->path, ports[0]);
            else put(c, P->hello);
            flush(c);
        } else if (events[i].events & EPOLLOUT) flush(c);
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read_from(c);
    }
}

static void settle(double quiet) {              /* until nothing has come for so long */
    for (last_read = now(); since(last_read) < quiet;) turn(0.001);
}

/* --- the handshakes --- */

static void open_connection(int id) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(ports[id % nodes]), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    connection *c = &connections[id];
    int on = 1;
    c->id = id;
    c->begun = now();
    c->is_blocked = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0) die("no socket for connection %d: %s", id, strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS)
        die("can't connect: %s", strerror(errno));
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event);
}

static void start_join(int id) {
    connection *c = &connections[id];
    c->state = JOINING;
    c->tail_len = 0;
    put(c, id ? P->join : P->create);
    flush(c);
}

/* Begin a step for connections from..to, a bounded number at a time, until `done` counts all of them. */
static void bring(void (*begin)(int), uint64_t from, uint64_t to, const uint64_t *done, const char *what) {
    uint64_t begun = from, seen = *done, at = now();
    while (*done < to) {
        while (begun < to && begun - *done < concurrency) begin(begun++);
        turn(0.01);
        if (*done != seen) seen = *done, at = now();
        else if (since(at) > 4 * patience) die("only %lu of %lu connections were %s", seen, to, what);
    }
}

/* --- the modes --- */

static int in_time(uint64_t each) {             /* wait for what was sent; tell whether it still comes */
    uint64_t seen = delivered;
    for (uint64_t at = now(); delivered < sent * each && since(at) < patience; turn(0.01))
        if (delivered != seen) seen = delivered, at = now();
    return delivered == sent * each;
}

static void print_losses(uint64_t each) {
    in_time(each);
    settle(0.05);                               /* what comes twice would come now */
    printf("\"lost\":%ld,\"disordered\":%lu,", (long)(sent * each - delivered), disordered);
}

/* Keep `window` texts of every sender on their way: how much gets through? */
static void saturate(uint64_t each) {
    uint64_t begun = now(), progress = begun, seen = 0;
    moment a = {0}, b;
    while (since(begun) < warm + seconds || delivered == a.delivered) {
        if (!a.at && since(begun) >= warm) a = take();
        uint64_t waiting = sent - delivered / each, all = window * senders, t = now();
        uint64_t share = waiting < all ? (all - waiting + senders - 1) / senders : 0;
        for (connection *c = connections; share && c < connections + (int)senders; c++) {
            if (c->is_blocked) continue;
            for (uint64_t i = 0; i < share; i++) say(c, t);
            flush(c);
        }
        turn(0.1);
        if (delivered != seen) seen = delivered, progress = now();
        else if (since(progress) > patience) die("nothing is delivered any more (sent %lu, delivered %lu)", sent, delivered);
    }
    b = take();
    double took = (b.at - a.at) / 1e9, got = b.delivered - a.delivered;
    printf("{\"deliveries_per_second\":%.0f,\"server_ns_each\":%.1f,\"deliveries_per_read\":%.1f,", got / took,
           (b.server_cpu - a.server_cpu) * 1e9 / got, got / (b.reads - a.reads));
    print_losses(each);
    print_shares(a, b);
}

static int ascending(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void print_percentiles(void) {
    if (!sample_count) die("nothing was delivered in time");
    qsort(samples, sample_count, sizeof *samples, ascending);
    printf("\"p50_us\":%.1f,\"p99_us\":%.1f,", samples[sample_count / 2] / 1e3, samples[sample_count * 99 / 100] / 1e3);
}

/* Send `rate` texts a second, whatever comes back: how long does each take to each member? */
static void pace(uint64_t each) {
    uint64_t begun = now(), total = rate * (warm + seconds), first = rate * warm;
    moment a = {0}, b;
    sample_cap = each * (total - first);
    samples = malloc(sample_cap * sizeof *samples + 1);
    sample_from = begun + (uint64_t)(first * 1e9 / rate);
    for (uint64_t i = 0; i < total;) {
        uint64_t due = begun + (uint64_t)(i * 1e9 / rate), t = now();
        if (t < due) {
            turn((due - t) / 1e9);
            continue;
        }
        if (i == first) a = take();
        connection *c = &connections[i++ % (int)senders];
        say(c, due);
        if (!c->is_blocked) flush(c);
        turn(0);
    }
    b = take();
    putchar('{');
    print_losses(each);
    print_percentiles();
    print_shares(a, b);
}

/* Let every sender keep `window` texts of its own on their way: how much gets through, and is it the same by each port? */
static void contend(uint64_t each) {
    uint64_t begun = now(), progress = begun, seen = 0, own[NODES] = {0};
    moment a = {0}, b;
    sample_cap = 1 << 22;
    samples = malloc(sample_cap * sizeof *samples);
    while (since(begun) < warm + seconds) {
        uint64_t t = now();
        if (!a.at && since(begun) >= warm) {
            a = take(), sample_from = t;
            for (int i = 0; i < senders; i++) own[i % nodes] -= connections[i].last[i];
        }
        for (connection *c = connections; c < connections + (int)senders; c++)
            if (!c->is_blocked && numbers[c->id] - c->last[c->id] < window) say(c, t), flush(c);
        turn(0.01);
        if (delivered != seen) seen = delivered, progress = now();
        else if (since(progress) > patience) die("nothing is delivered any more (sent %lu, delivered %lu)", sent, delivered);
    }
    b = take();
    double took = (b.at - a.at) / 1e9, all = 0, least = 1;
    for (int i = 0; i < senders; i++) own[i % nodes] += connections[i].last[i];
    for (int i = 0; i < nodes; i++) all += own[i];
    for (int i = 0; i < nodes; i++) least = own[i] / all < least ? own[i] / all : least;
    printf("{\"events_per_second\":%.0f,\"least_share\":%.3f,", all / took, least);
    print_losses(each);
    print_percentiles();
    print_shares(a, b);
}

/* Ask for the list of members and wait for it, again and again. */
static void ask(void) {
    uint64_t begun = now(), asked = 0;
    moment a = {0}, b;
    is_asking = 1;
    sample_cap = 1 << 20;
    samples = malloc(sample_cap * sizeof *samples);
    while (since(begun) < warm + seconds && sample_count < sample_cap) {
        if (!a.at && since(begun) >= warm) a = take(), sample_count = 0;
        uint64_t t = now();
        put(connections, P->ask);
        flush(connections);
        for (asked++; answers < asked; turn(1))
            if (since(t) > patience) die("no answer to a question");
        samples[sample_count++] = now() - t;
    }
    b = take();
    double took = (b.at - a.at) / 1e9;
    printf("{\"asks_per_second\":%.0f,\"server_us_each\":%.2f,", sample_count / took,
           (b.server_cpu - a.server_cpu) * 1e6 / sample_count);
    print_percentiles();
    print_shares(a, b);
}

int main(int argc, char **argv) {
    if (argc < 4) die("usage: generator PROTOCOL PORT[,PORT] saturate|contend|pace|ask|connect [name=value]...");
    for (size_t i = 0; i < sizeof PROTOCOLS / sizeof *PROTOCOLS; i++)
        if (!strcmp(argv[1], PROTOCOLS[i].name)) P = &PROTOCOLS[i];
    if (!P) die("no protocol %s", argv[1]);
    for (int i = 4; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        int known = 0;
        for (size_t k = 0; value && k < sizeof OPTIONS / sizeof *OPTIONS; k++)
            if (!strncmp(argv[i], OPTIONS[k].name, value - argv[i]) && !OPTIONS[k].name[value - argv[i]])
                *OPTIONS[k].value = atof(value + 1), known = 1;
        if (!known) die("no option %s", argv[i]);
    }
    for (char *at = argv[2]; nodes < NODES && *at; at += *at == ',') ports[nodes++] = strtol(at, &at, 10);
    if (!nodes || senders > MOST_SENDERS) die("at least one port, at most %d senders", MOST_SENDERS);
    if (members - stalled < senders) die("at least %d members must listen", (int)senders);
    connections = calloc(members, sizeof *connections);
    epoll_fd = epoll_create1(0);

    if (!strcmp(argv[3], "connect")) samples = malloc((sample_cap = members) * sizeof *samples);
    long before = server_kb("VmRSS:");
    moment a = take();
    bring(open_connection, 0, members, &named, "greeted");
    moment b = take();
    if (!strcmp(argv[3], "connect")) {
        settle(0.5);
        printf("{\"connects_per_second\":%.0f,\"server_us_each\":%.2f,\"kb_each\":%.3f,", members * 1e9 / (b.at - a.at),
               (b.server_cpu - a.server_cpu) * 1e6 / members, (server_kb("VmRSS:") - before) / members);
        print_percentiles();
        print_shares(a, b);
        return 0;
    }
    bring(start_join, 0, 1, &joined, "let in");
    bring(start_join, 1, members, &joined, "let in");
    settle(0.1);
    for (int i = members - stalled; i < members; i++)       /* these never read again */
        epoll_ctl(epoll_fd, EPOLL_CTL_DEL, connections[i].fd, NULL);
    uint64_t each = members - stalled - !P->echoes;
    if (!strcmp(argv[3], "saturate")) saturate(each);
    else if (!strcmp(argv[3], "contend")) contend(each);
    else if (!strcmp(argv[3], "pace")) pace(each);
    else if (!strcmp(argv[3], "ask")) ask();
    else die("no mode %s", argv[3]);
    return 0;
}
