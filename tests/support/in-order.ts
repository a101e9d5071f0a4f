/** Lets all of them come to an end, and fails with the first in this order. */
export async function inOrder(...checks: Promise<void>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(checks))
    if (outcome.status === 'rejected') throw outcome.reason;
}
