/** The script worker-asyncify.js as a text; the build puts it here (build/web.mjs). Empty from source. */
export const SCRIPT: string = "";
