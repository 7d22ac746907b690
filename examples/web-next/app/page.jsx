import { Matcher } from "./matcher";

/** Rendered on the server, the library's import with it. */
export default function Page() {
  return (
    <main>
      <h1>Do these show the same thing?</h1>
      <Matcher />
    </main>
  );
}
