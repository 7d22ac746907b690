/** The name by which a folder is known to hold a job; an index job's folder becomes the index. */
export const PLAN_FILE = "job.json";
