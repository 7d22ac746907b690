/** Pictures in the bodies of requests: as they are, or as fields of a form. */
import { OptionError } from "../../errors.js";

/** Types of bodies that are taken, for messages. */
export const TAKEN = "an image/… type, application/octet-stream, or multipart/form-data with the field";

/** The picture of a body. `field`: its name in a form. */
export async function pictureOf(type: string, body: unknown, field: string): Promise<Uint8Array> {
  const bytes = bytesOf(body);
  if (!/^multipart\/form-data\b/i.test(type)) return bytes;
  return (await fieldsOf(type, bytes, [field]))[0];
}

/** The pictures of a form. OptionError for a body that is no form, or has not these fields. */
export async function picturesOf(type: string, body: unknown, fields: readonly string[]): Promise<Uint8Array[]> {
  if (!/^multipart\/form-data\b/i.test(type)) {
    throw new OptionError(`send a form (multipart/form-data) with the pictures ${fields.join(" and ")}`);
  }
  return fieldsOf(type, bytesOf(body), fields);
}

function bytesOf(body: unknown): Uint8Array {
  if (body instanceof Uint8Array && body.length > 0) return body;
  throw new OptionError("the body is empty; send a picture");
}

async function fieldsOf(type: string, bytes: Uint8Array, fields: readonly string[]): Promise<Uint8Array[]> {
  let form: FormData;
  try {
    form = await new Response(bytes as BodyInit, { headers: { "content-type": type } }).formData();
  } catch {
    throw new OptionError("the body is no form of its Content-Type (multipart/form-data)");
  }
  return Promise.all(
    fields.map(async (field) => {
      const value = form.get(field);
      if (!(value instanceof Blob) || value.size === 0) throw new OptionError(`the form has no picture "${field}"`);
      return new Uint8Array(await value.arrayBuffer());
    }),
  );
}
