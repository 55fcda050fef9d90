/* A stage plugin in C: greets the project, slowly enough to be cancelled.
 *
 * What to learn from it: the table at the end is all that nexusd looks for; `start` only begins the
 * job, on a thread of the plugin's own; `done` comes exactly once and last; memory is always freed by
 * the side that made it. Build, check and use: README.md beside this file.
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nexus_plugin.h"

/* ---- bytes and JSON ------------------------------------------------------------------------------ */

static void free_buffer(uint8_t *ptr, size_t len, size_t cap)
{
    (void)len, (void)cap;
    free(ptr);
}

/* Hands a malloc'ed text over: the host calls `free_buffer`, so it never needs our allocator. */
static NexusOwnedBytes owned(char *text)
{
    size_t len = text ? strlen(text) : 0;
    return (NexusOwnedBytes){(uint8_t *)text, len, len, free_buffer};
}

/* A text that lives as long as the library needs no freeing. */
static NexusOwnedBytes constant(const char *text)
{
    size_t len = strlen(text);
    return (NexusOwnedBytes){(uint8_t *)text, len, len, NULL};
}

/* The value of the first member `"key":"…"`, still escaped as JSON, so that it can be put into other
 * JSON as it is. The host writes JSON without blanks. A plugin with more to read takes a real parser. */
static char *json_text(NexusBytes json, const char *key)
{
    char pattern[64];
    int length = snprintf(pattern, sizeof pattern, "\"%s\":\"", key);
    for (size_t i = 0; i + (size_t)length <= json.len; i++) {
        if (memcmp(json.ptr + i, pattern, (size_t)length) != 0)
            continue;
        size_t begin = i + (size_t)length, end = begin;
        while (end < json.len && json.ptr[end] != '"')
            end += json.ptr[end] == '\\' ? 2 : 1;
        return end < json.len ? strndup((const char *)json.ptr + begin, end - begin) : NULL;
    }
    return NULL;
}

/* ---- one job ------------------------------------------------------------------------------------- */

/* Written by `configure`, before the first `start`, and never again. */
static char *greeting;

struct job {
    const NexusHostV1 *host;
    uint64_t token; /* the host's name for the job */
    char *project;
    atomic_int cancelled;
};

static void event(struct job *job, const char *json)
{
    job->host->event(job->token, (NexusBytes){(const uint8_t *)json, strlen(json)});
}

static void *work(void *argument)
{
    struct job *job = argument;
    char text[512];
    event(job, "{\"type\":\"log\",\"level\":\"info\",\"message\":\"greeting in C\"}");
    for (int step = 1; step <= 10; step++) {
        if (atomic_load(&job->cancelled)) {
            job->host->done(job->token, NEXUS_STATUS_CANCELLED, constant(""));
            return NULL; /* `job` may be gone already */
        }
        nanosleep(&(struct timespec){0, 5 * 1000 * 1000}, NULL);
        snprintf(text, sizeof text, "{\"type\":\"progress\",\"value\":%.1f,\"message\":\"step %d\"}", step / 10.0, step);
        event(job, text);
    }
    size_t room = strlen(greeting) + strlen(job->project) + 64;
    char *result = malloc(room);
    if (result) {
        snprintf(result, room, "{\"output\":{\"greeting\":\"%s, %s!\"}}", greeting, job->project);
        job->host->done(job->token, NEXUS_STATUS_OK, owned(result));
    } else {
        job->host->done(job->token, NEXUS_STATUS_FAILED, constant("{\"kind\":\"transient\",\"message\":\"out of memory\"}"));
    }
    return NULL; /* after `done` the host calls `destroy`: nothing of the job may be touched here */
}

/* ---- the entries --------------------------------------------------------------------------------- */

static NexusOwnedBytes describe(void)
{
    return constant("{\"name\":\"example-c\",\"version\":\"1.0.0\",\"summary\":\"greets in C\","
                    "\"handlers\":[{\"name\":\"greet\",\"kind\":\"stage\",\"summary\":\"greets the project\"}]}");
}

static uint32_t configure(NexusBytes settings, NexusOwnedBytes *error)
{
    greeting = json_text(settings, "greeting");
    if (!greeting)
        greeting = strdup("Hello");
    if (greeting && *greeting)
        return 0;
    *error = constant("{\"kind\":\"invalid_input\",\"message\":\"settings: `greeting` must not be empty\"}");
    return 1;
}

static void destroy(void *handle)
{
    struct job *job = handle;
    free(job->project);
    free(job);
}

static uint32_t start(const NexusHostV1 *host, uint64_t token, NexusBytes request, void **handle)
{
    struct job *job = calloc(1, sizeof *job);
    if (!job)
        return 1; /* the job never began: no `done`, no `destroy` */
    job->host = host;
    job->token = token;
    job->project = json_text(request, "project_name");
    pthread_t thread;
    if (!job->project || pthread_create(&thread, NULL, work, job) != 0) {
        destroy(job);
        return 2;
    }
    pthread_detach(thread);
    *handle = job;
    return 0;
}

static void cancel(void *handle)
{
    struct job *job = handle;
    atomic_store(&job->cancelled, 1);
}

NEXUS_PLUGIN_EXPORT const NexusPluginV1 NEXUS_PLUGIN_V1 = {
    .magic = NEXUS_MAGIC,
    .abi_major = NEXUS_ABI_MAJOR,
    .size = sizeof(NexusPluginV1),
    .layout_hash = NEXUS_LAYOUT_HASH,
    .panic_unwind = 1, /* C does not panic */
    .describe = describe,
    .configure = configure,
    .start = start,
    .cancel = cancel,
    .destroy = destroy,
    .shutdown = NULL, /* the only entry that may be null */
};
