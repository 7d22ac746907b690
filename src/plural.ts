/** "1 image", "2 images"; `many` where it is not `one` and an s: "2 matches". */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
