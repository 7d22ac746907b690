/** Further photographs beside A: more of one wall, more pages of one form. */
import { useEffect, useRef, useState } from "preact/hooks";
import { CameraShot } from "./camera-shot.js";
import { FileButton, FileDrop } from "./files.js";
import { Failure, PhotoNotes } from "./parts.js";
import { closePhoto, openPhoto, type Photo } from "./photos.js";
import type { Settings } from "./settings.js";
import { about } from "./view.js";

export interface MorePhotosProps {
  photos: Photo[];
  add(files: readonly { file: Blob; name: string }[]): Promise<void>;
  remove(photo: Photo): void;
  failure: string;
}

export function useMorePhotos(): MorePhotosProps {
  const [photos, setPhotos] = useState<Photo[]>([]);
  const [failure, setFailure] = useState("");
  const all = useRef(photos);
  all.current = photos;
  useEffect(() => () => all.current.forEach(closePhoto), []);
  return {
    photos,
    failure,
    async add(files) {
      setFailure("");
      for (const { file, name } of files) {
        try {
          const photo = await openPhoto(file, name);
          setPhotos((now) => [...now, photo]);
        } catch (error) {
          setFailure(about(name, error));
        }
      }
    },
    remove(photo) {
      closePhoto(photo);
      setPhotos((now) => now.filter((one) => one !== photo));
    },
  };
}

export function MorePhotos({ photos, add, remove, failure, edge }: MorePhotosProps & Pick<Settings, "edge">) {
  const take = (files: readonly File[]): Promise<void> =>
    add(files.map((file) => ({ file, name: file.name || "picture" })));
  return (
    <FileDrop label="More pictures" onFiles={take}>
      {photos.length > 0 && (
        <ul class="more">
          {photos.map((photo) => (
            <li key={photo.href}>
              <img class="thumb" src={photo.href} alt={photo.name} />
              <button type="button" aria-label={`Remove ${photo.name}`} onClick={() => remove(photo)}>
                Remove
              </button>
            </li>
          ))}
        </ul>
      )}
      <div class="choice">
        <FileButton accept="image/*" multiple onFiles={take}>
          Add more pictures to lay onto B
        </FileButton>
        <CameraShot
          label="another picture"
          onShot={(file) => add([{ file, name: `photograph ${photos.length + 1}` }])}
        />
      </div>
      {photos.map((photo) => (
        <PhotoNotes key={photo.href} photo={photo} edge={edge} />
      ))}
      <Failure message={failure} />
    </FileDrop>
  );
}
