const part = 'part of process_cpu_seconds_total, which is shown';
const lag = 'between what is shown: half of the turns, the slowest hundredth, and the longest one';
const space = 'of use to who looks for a leak in the heap, beside a heap snapshot';

/** What /metrics has and no dashboard shows, and why. A test holds it to both. */
export const unseen: Readonly<Record<string, string>> = {
  process_cpu_user_seconds_total: part,
  process_cpu_system_seconds_total: part,
  process_virtual_memory_bytes: 'V8 reserves addresses that it never uses: it says nothing of memory',
  process_heap_bytes: 'what the system has set aside for data; resident memory says what is in use',
  nodejs_eventloop_lag_seconds: 'one look at the time of the scrape; the others look all the time',
  nodejs_eventloop_lag_min_seconds: lag,
  nodejs_eventloop_lag_mean_seconds: lag,
  nodejs_eventloop_lag_stddev_seconds: lag,
  nodejs_eventloop_lag_p90_seconds: lag,
  nodejs_active_handles: 'nodejs_active_resources has them, under names that are documented',
  nodejs_active_requests: 'nodejs_active_resources has them, under names that are documented',
  nodejs_heap_size_total_bytes: 'what V8 has set aside for objects, in use or not; what is in use is shown',
  nodejs_heap_space_size_total_bytes: space,
  nodejs_heap_space_size_used_bytes: space,
  nodejs_heap_space_size_available_bytes: space,
};
