// How urgent work is: 1 high, 2 normal, 3 low. Among work that waits in a queue, lower numbers go first.

export const PRIORITIES = [1, 2, 3] as const;
export type Priority = (typeof PRIORITIES)[number];

export const NORMAL_PRIORITY: Priority = 2;

/** The one that goes first; normal when there is none. */
export const mostUrgent = (priorities: readonly Priority[]): Priority =>
  PRIORITIES.find((one) => priorities.includes(one)) ?? NORMAL_PRIORITY;
