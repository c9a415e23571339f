/**
 * The stated maxima of the program. Shared memory is laid out for them once; pages that nobody touches cost nothing.
 */
export const MAX_LISTENERS = 4096
export const MAX_UPSTREAMS = 4096
export const MAX_BACKENDS = 65_536
/** Connections of one worker. */
export const MAX_CONNECTIONS_PER_WORKER = 1_048_576
/** Priorities that the backends of one upstream may have, backups included. */
export const MAX_GROUPS = 17
