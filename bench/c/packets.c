/*
 * Sends small UDP packets to EIPs as fast as one core can, by a packet socket past the queueing discipline. Over veth pairs
 * the kernel forwards each packet before the call returns, in our processor time: so what a packet costs is what we are
 * charged, whatever the other cores do.
 *
 *   packets INTERFACE MAC KIND EIPS COUNT     prints {"sent":n,"work":ms of processor time}
 *
 * KIND new: each packet begins a flow of its own. known: 64 flows, again and again. EIPS are 198.18.0.1 and on, 250 in each
 * /24, on port 80; the senders are in 198.19.0.0/16.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PAYLOAD = 18, KNOWN = 64 };

struct frame {
	struct ether_header ether;
	struct iphdr ip;
	struct udphdr udp;
	char payload[PAYLOAD];
} __attribute__((packed, aligned(2)));

static void die(const char *what)
{
	fprintf(stderr, "packets: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double work(void)
{
	struct timespec at;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
	return at.tv_sec * 1e3 + at.tv_nsec / 1e6;
}

static uint16_t checksum(const struct frame *frame)
{
	uint16_t words[sizeof frame->ip / 2];
	uint32_t sum = 0;
	memcpy(words, &frame->ip, sizeof words);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		sum += words[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* Every bit of the input counts in every bit of the result. */
static uint32_t mix(uint32_t x)
{
	x = (x ^ (x >> 16)) * 0x85ebca6b;
	x = (x ^ (x >> 13)) * 0xc2b2ae35;
	return x ^ (x >> 16);
}

/* The n-th flow: 2^32 of them differ in their address and port. */
static void fill(struct frame *frame, uint32_t n, uint32_t eips)
{
	uint32_t eip = mix(n ^ 0x5bd1e995) % eips, from = mix(n);
	frame->ip.saddr = htonl(0xc6130000 | from >> 16);
	frame->ip.daddr = htonl(0xc6120000 | (eip / 250) << 8 | (1 + eip % 250));
	frame->udp.source = htons(from & 0xffff);
	frame->ip.check = 0;
	frame->ip.check = checksum(frame);
}

int main(int argc, char **argv)
{
	struct frame frame = {
		.ether = { .ether_type = htons(ETHERTYPE_IP) },
		.ip = { .version = 4,
			.ihl = 5,
			.ttl = 64,
			.protocol = IPPROTO_UDP,
			.tot_len = htons(sizeof frame - sizeof frame.ether) },
		.udp = { .dest = htons(80), .len = htons(sizeof(struct udphdr) + PAYLOAD) },
	};
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(ETHERTYPE_IP) };
	unsigned char *mac = frame.ether.ether_dhost;
	int one = 1, fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (argc != 6 || sscanf(argv[2], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1, mac + 2, mac + 3, mac + 4,
				mac + 5) != 6) {
		fprintf(stderr, "usage: packets INTERFACE MAC new|known EIPS COUNT\n");
		return 2;
	}
	to.sll_ifindex = if_nametoindex(argv[1]);
	if (fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof to) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one) < 0)
		die("socket");
	int is_new = strcmp(argv[3], "new") == 0;
	uint32_t eips = atoi(argv[4]), count = atoi(argv[5]), sent = 0;
	/* Other flows than those of the last run in this namespace. */
	uint32_t first = mix(getpid());
	struct frame known[KNOWN];
	for (uint32_t i = 0; i < KNOWN; i++) {
		known[i] = frame;
		fill(&known[i], first + i, eips);
		if (!is_new && send(fd, &known[i], sizeof frame, 0) < 0)
			die("send");
	}
	double start = work();
	/* As much as a second allows. */
	for (; sent < count && (sent % 256 != 0 || work() - start < 1000); sent++) {
		const struct frame *next = &known[sent % KNOWN];
		if (is_new) {
			fill(&frame, first + sent, eips);
			next = &frame;
		}
		if (send(fd, next, sizeof frame, 0) < 0)
			die("send");
	}
	printf("{\"sent\":%u,\"work\":%.3f}\n", sent, work() - start);
	return 0;
}
