/* Nacos binds all addresses, and has no setting for another: with this in LD_PRELOAD, it binds 127.0.0.1. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

int bind(int fd, const struct sockaddr *address, socklen_t length) {
  int (*real)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "bind");
  if (address->sa_family == AF_INET && length >= sizeof(struct sockaddr_in)) {
    struct sockaddr_in local;
    memcpy(&local, address, sizeof local);
    if (local.sin_addr.s_addr == htonl(INADDR_ANY)) local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return real(fd, (struct sockaddr *)&local, sizeof local);
  }
  if (address->sa_family == AF_INET6 && length >= sizeof(struct sockaddr_in6)) {
    struct sockaddr_in6 local;
    memcpy(&local, address, sizeof local);
    /* ::ffff:127.0.0.1, which sockets of both families take. */
    if (IN6_IS_ADDR_UNSPECIFIED(&local.sin6_addr)) {
      local.sin6_addr.s6_addr[10] = local.sin6_addr.s6_addr[11] = 0xff;
      local.sin6_addr.s6_addr[12] = 127;
      local.sin6_addr.s6_addr[15] = 1;
    }
    return real(fd, (struct sockaddr *)&local, sizeof local);
  }
  return real(fd, address, length);
}
