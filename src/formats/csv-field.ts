/**
 * Text as a field of comma-separated values (RFC 4180) that no spreadsheet takes for a formula: names come from outside, and
 * one like "=HYPERLINK(…)" would be run by whoever opens the table.
 */

/**
 * What spreadsheets take for the beginning of a formula, or pass over before one: = + - @, their full-width forms, tab and line
 * ends. An apostrophe before it makes it text; one that is there already is doubled, so that names come back as they were.
 */
const FORMULA = /^'*[=+\-@\t\r\n＝＋－＠]/;

/** The field, in quotes where it needs them; a semicolon and a tab part columns where the decimal sign is a comma. */
export function csvField(text: string): string {
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return /[",;\t\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** The text of such a field, without its quotes, as `csvField` was given it. */
export function unescapeCsv(field: string): string {
  return field.startsWith("'") && FORMULA.test(field) ? field.slice(1) : field;
}
