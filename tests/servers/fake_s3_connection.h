/* SPDX-License-Identifier: MIT */
/* Between connections and requests of the fake S3 server. */
#ifndef STOREFS_TESTS_SERVERS_FAKE_S3_CONNECTION_H
#define STOREFS_TESTS_SERVERS_FAKE_S3_CONNECTION_H

#include "tests/servers/fake_s3_inside.h"

/* With the lock.  False: answered already. */
bool fake_begin(struct fake_request *request, const char *head);
/* With the lock, once the body is there: answers. */
void fake_run(struct fake_request *request);
void fake_request_release(struct fake_request *request);

#endif
