/*
 * The yardstick: adds, dumps and deletes host routes by rtnetlink as fast as C can, with the same batches as
 * src/kernel/netlink/batch.ts. What it takes is the kernel's own cost.
 *
 *   routes COUNT NHID TABLE PROTOCOL     prints {"add":ms,"dump":ms,"delete":ms,"work":{the same, processor time}}
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 128 * 1024, ROOM = 4096, FIRST = 0xc6120000 /* 198.18.0.0 */ };

static unsigned count, nhid, table, protocol, sequence;
static char batch[BATCH + ROOM], answer[64 * 1024];

static void die(const char *what)
{
	fprintf(stderr, "routes: %s: %s\n", what, strerror(errno));
	exit(1);
}

struct cost {
	double time, work;
};

static double ms(clockid_t clock)
{
	struct timespec at;
	clock_gettime(clock, &at);
	return at.tv_sec * 1e3 + at.tv_nsec / 1e6;
}

static struct cost now(void)
{
	return (struct cost){ ms(CLOCK_MONOTONIC), ms(CLOCK_PROCESS_CPUTIME_ID) };
}

static struct cost since(struct cost start)
{
	struct cost end = now();
	return (struct cost){ end.time - start.time, end.work - start.work };
}

static size_t attribute(char *at, unsigned short type, uint32_t value)
{
	struct rtattr *rta = (struct rtattr *)at;
	rta->rta_type = type;
	rta->rta_len = RTA_LENGTH(sizeof value);
	memcpy(RTA_DATA(rta), &value, sizeof value);
	return RTA_SPACE(sizeof value);
}

static size_t route(char *at, int type, int flags, unsigned i)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)at;
	struct rtmsg *rtm = NLMSG_DATA(nlh);
	size_t length = NLMSG_LENGTH(sizeof *rtm);

	memset(at, 0, length);
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = sequence++;
	rtm->rtm_family = AF_INET;
	rtm->rtm_dst_len = 32;
	rtm->rtm_table = table;
	rtm->rtm_protocol = protocol;
	rtm->rtm_type = RTN_UNICAST;
	rtm->rtm_scope = type == RTM_DELROUTE ? RT_SCOPE_NOWHERE : RT_SCOPE_UNIVERSE;
	length += attribute(at + length, RTA_DST, htonl(FIRST + i));
	if (type == RTM_NEWROUTE)
		length += attribute(at + length, RTA_NH_ID, nhid);
	nlh->nlmsg_len = length;
	return length;
}

/* Reads until the acknowledgement of the last message; any error ends the race. */
static void acknowledged(int fd, unsigned last)
{
	for (;;) {
		ssize_t length = recv(fd, answer, sizeof answer, 0);
		if (length < 0)
			die("recv");
		for (struct nlmsghdr *nlh = (struct nlmsghdr *)answer; NLMSG_OK(nlh, length);
		     nlh = NLMSG_NEXT(nlh, length)) {
			struct nlmsgerr *error = NLMSG_DATA(nlh);
			if (nlh->nlmsg_type != NLMSG_ERROR)
				continue;
			errno = -error->error;
			if (errno)
				die("route");
			if (nlh->nlmsg_seq == last)
				return;
		}
	}
}

static struct cost change(int fd, int type, int flags)
{
	struct cost start = now();
	for (unsigned i = 0; i < count;) {
		size_t length = 0;
		struct nlmsghdr *last = NULL;
		while (i < count && length < BATCH) {
			last = (struct nlmsghdr *)(batch + length);
			length += route(batch + length, type, flags, i++);
		}
		last->nlmsg_flags |= NLM_F_ACK;
		if (send(fd, batch, length, 0) < 0)
			die("send");
		acknowledged(fd, last->nlmsg_seq);
	}
	return since(start);
}

static struct cost dump(int fd)
{
	struct cost start = now();
	struct {
		struct nlmsghdr nlh;
		struct rtmsg rtm;
	} request = {
		.nlh = { sizeof request, RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP, sequence++, 0 },
		.rtm = { .rtm_family = AF_INET, .rtm_table = table, .rtm_protocol = protocol },
	};
	unsigned found = 0;
	uint32_t sum = 0;

	if (send(fd, &request, sizeof request, 0) < 0)
		die("send");
	for (int done = 0; !done;) {
		ssize_t length = recv(fd, answer, sizeof answer, 0);
		if (length < 0)
			die("recv");
		for (struct nlmsghdr *nlh = (struct nlmsghdr *)answer; NLMSG_OK(nlh, length);
		     nlh = NLMSG_NEXT(nlh, length)) {
			if (nlh->nlmsg_type == NLMSG_DONE || nlh->nlmsg_type == NLMSG_ERROR) {
				done = 1;
				break;
			}
			int rest = RTM_PAYLOAD(nlh);
			for (struct rtattr *rta = RTM_RTA(NLMSG_DATA(nlh)); RTA_OK(rta, rest);
			     rta = RTA_NEXT(rta, rest))
				if (rta->rta_type == RTA_DST)
					sum += *(uint32_t *)RTA_DATA(rta);
			found++;
		}
	}
	if (found != count || !sum) {
		fprintf(stderr, "routes: the dump has %u routes, not %u\n", found, count);
		exit(1);
	}
	return since(start);
}

int main(int argc, char **argv)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };
	int one = 1, receive = 4 << 20, transmit = 1 << 20;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (argc != 5) {
		fprintf(stderr, "usage: routes COUNT NHID TABLE PROTOCOL\n");
		return 2;
	}
	count = atoi(argv[1]);
	nhid = atoi(argv[2]);
	table = atoi(argv[3]);
	protocol = atoi(argv[4]);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
		die("socket");
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one);
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof one);
	setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof one);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive, sizeof receive);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &transmit, sizeof transmit);

	struct cost add = change(fd, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
	struct cost read = dump(fd);
	struct cost delete = change(fd, RTM_DELROUTE, 0);
	printf("{\"add\":%.3f,\"dump\":%.3f,\"delete\":%.3f,", add.time, read.time, delete.time);
	printf("\"work\":{\"add\":%.3f,\"dump\":%.3f,\"delete\":%.3f}}\n", add.work, read.work, delete.work);
	return 0;
}
