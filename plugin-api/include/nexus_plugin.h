/* The plugin interface of nexusd, ABI 1.
 *
 * Generated from plugin-api/src/abi.rs by the test `header`; do not edit.
 * The payloads are JSON: see plugin-api/tests/golden for one of each.
 * A complete plugin in C: plugins/example-c/example.c.
 */

#pragma once

#include <stddef.h>
#include <stdint.h>

// First field of the table: the bytes `NEXUSPLG` read as a big-endian number.
#define NEXUS_MAGIC UINT64_C(0x4e45585553504c47)

// Major version of this interface. A host loads plugins of its own major only.
#define NEXUS_ABI_MAJOR 1

// `done`: the job succeeded and the payload is its result.
#define NEXUS_STATUS_OK 0

// `done`: the job failed and the payload is a `Failure`.
#define NEXUS_STATUS_FAILED 1

// `done`: plugin code panicked and the payload is a `Failure`.
#define NEXUS_STATUS_PANICKED 2

// `done`: the job stopped because it was cancelled.
#define NEXUS_STATUS_CANCELLED 3

// A borrowed byte range, valid only during the call it is passed to. `ptr` may be null when `len` is 0.
typedef struct {
  // First byte.
  const uint8_t *ptr;
  // Length in bytes.
  size_t len;
} NexusBytes;

// A byte buffer that knows how to free itself with the allocator that made it.
//
// The receiver copies what it needs and then calls `free(ptr, len, cap)` once, unless `free` is null
// (a static buffer).
typedef struct {
  // First byte; null when empty.
  uint8_t *ptr;
  // Length in bytes.
  size_t len;
  // Capacity in bytes, handed back to `free`.
  size_t cap;
  // Frees the buffer; null for a buffer that needs no freeing.
  void (*free)(uint8_t *ptr, size_t len, size_t cap);
} NexusOwnedBytes;

// What the host offers to a job. One immutable table per process: it outlives every job.
//
// `job` is the token given to `start`. Tokens are never reused, so a late or repeated call is
// recognised and ignored (and reported), never a fault. All functions are thread-safe and may be
// called inside `start` too. `event` waits while the job's queue is full: that is the backpressure.
// Inside `start`, `cancel` and `destroy` it never waits; what does not fit is dropped there.
typedef struct {
  // Size of this table in bytes, as the host knows it.
  uint32_t size;
  // Zero.
  uint32_t reserved;
  // 1 once the job is cancelled or unknown, else 0.
  uint8_t (*is_cancelled)(uint64_t job);
  // Reports one `Event` as JSON.
  void (*event)(uint64_t job, NexusBytes json);
  // Ends the job: exactly once, last. The host takes ownership of `json`.
  void (*done)(uint64_t job, uint32_t status, NexusOwnedBytes json);
  // As `event`, but never waits: 0 when the job's queue is full and nothing was taken, else 1. For
  // threads that serve more than one job; such a thread hands the waiting to another one.
  uint8_t (*try_event)(uint64_t job, NexusBytes json);
} NexusHostV1;

// The table a plugin exports as `NEXUS_PLUGIN_V1`.
typedef struct {
  // `NEXUS_MAGIC`.
  uint64_t magic;
  // `NEXUS_ABI_MAJOR`.
  uint32_t abi_major;
  // Size of this table in bytes, as the plugin knows it.
  uint32_t size;
  // `NEXUS_LAYOUT_HASH`.
  uint64_t layout_hash;
  // 1 when panics unwind (or the language has none); a build that aborts is refused.
  uint8_t panic_unwind;
  // Zero.
  uint8_t reserved[7];
  // Answers a `Description` as JSON. Callable at any time.
  // Its optional field `settings` is a JSON schema of what `configure`
  // takes: with it the daemon checks settings, shows them, and resolves their paths.
  NexusOwnedBytes (*describe)(void);
  // Takes the settings (a JSON object), once, before the first `start`. Returns 0, or another
  // value with a `Failure` in `error`.
  uint32_t (*configure)(NexusBytes settings, NexusOwnedBytes *error);
  // Begins a job and returns at once; the work belongs on a thread of the plugin's. `request` is a
  // `Request` as JSON. `handle` receives the plugin's own handle for
  // `cancel` and `destroy`; a job that leaves it null gets neither call and must poll
  // `is_cancelled`. A value other than 0 means that the job never began: then `done` must not be
  // called. The host calls `start`, `cancel` and `destroy` from one thread, one after the other; a
  // call that does not return within seconds counts as hung, and its job as stuck.
  uint32_t (*start)(const NexusHostV1 *host, uint64_t job, NexusBytes request, void **handle);
  // Asks the job to end soon. May come more than once, and after `done`, never after `destroy`.
  void (*cancel)(void *handle);
  // Frees the handle, once, after `done`.
  void (*destroy)(void *handle);
  // Optional: the generation is being retired or the daemon stops. May block for the grace period.
  void (*shutdown)(void);
} NexusPluginV1;



#if !defined(__LP64__)
#error "this header knows the layout of 64-bit Unix targets only"
#endif

#if defined(__cplusplus)
#define NEXUS_STATIC_ASSERT static_assert
#else
#define NEXUS_STATIC_ASSERT _Static_assert
#endif

/* For `layout_hash`: the fingerprint of the sizes and offsets below. */
#define NEXUS_LAYOUT_HASH UINT64_C(0x404fab8827c4a505)

NEXUS_STATIC_ASSERT(sizeof(NexusBytes) == 16, "layout of NexusBytes");
NEXUS_STATIC_ASSERT(sizeof(NexusOwnedBytes) == 32, "layout of NexusOwnedBytes");
NEXUS_STATIC_ASSERT(sizeof(NexusHostV1) == 40, "layout of NexusHostV1");
NEXUS_STATIC_ASSERT(sizeof(NexusPluginV1) == 80, "layout of NexusPluginV1");
NEXUS_STATIC_ASSERT(offsetof(NexusBytes, len) == 8, "layout of NexusBytes");
NEXUS_STATIC_ASSERT(offsetof(NexusOwnedBytes, cap) == 16, "layout of NexusOwnedBytes");
NEXUS_STATIC_ASSERT(offsetof(NexusOwnedBytes, free) == 24, "layout of NexusOwnedBytes");
NEXUS_STATIC_ASSERT(offsetof(NexusHostV1, is_cancelled) == 8, "layout of NexusHostV1");
NEXUS_STATIC_ASSERT(offsetof(NexusHostV1, event) == 16, "layout of NexusHostV1");
NEXUS_STATIC_ASSERT(offsetof(NexusHostV1, done) == 24, "layout of NexusHostV1");
NEXUS_STATIC_ASSERT(offsetof(NexusHostV1, try_event) == 32, "layout of NexusHostV1");
NEXUS_STATIC_ASSERT(offsetof(NexusPluginV1, layout_hash) == 16, "layout of NexusPluginV1");
NEXUS_STATIC_ASSERT(offsetof(NexusPluginV1, panic_unwind) == 24, "layout of NexusPluginV1");
NEXUS_STATIC_ASSERT(offsetof(NexusPluginV1, describe) == 32, "layout of NexusPluginV1");
NEXUS_STATIC_ASSERT(offsetof(NexusPluginV1, configure) == 40, "layout of NexusPluginV1");
NEXUS_STATIC_ASSERT(offsetof(NexusPluginV1, start) == 48, "layout of NexusPluginV1");
NEXUS_STATIC_ASSERT(offsetof(NexusPluginV1, cancel) == 56, "layout of NexusPluginV1");
NEXUS_STATIC_ASSERT(offsetof(NexusPluginV1, destroy) == 64, "layout of NexusPluginV1");
NEXUS_STATIC_ASSERT(offsetof(NexusPluginV1, shutdown) == 72, "layout of NexusPluginV1");

/* The one symbol that a plugin exports. Define it with these words in front. */
#define NEXUS_PLUGIN_EXPORT __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif
extern NEXUS_PLUGIN_EXPORT const NexusPluginV1 NEXUS_PLUGIN_V1;
#ifdef __cplusplus
}
#endif
