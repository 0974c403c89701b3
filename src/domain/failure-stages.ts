// Ways to fail in the stages after the bytes came, on this machine, and everywhere.
import { caller, content, type FailureRow, row, system } from './failure-row.js';

export const STAGE_FAILURES = {
  // extract
  archive_unsafe: content(
    'The archive holds an entry that would leave the dataset (a path or a link).',
    'Pack it again without absolute paths, ".." and links.',
  ),
  archive_bomb: content(
    'The archive expands beyond the limits.',
    'Send the files in smaller archives, or raise the limits.',
  ),
  archive_broken: content('The archive is damaged or cut off.', 'Send it again.'),
  archive_encrypted: content('The archive is protected by a password.', 'Send it without a password.'),
  archive_multivolume: content(
    'The archive is one of several volumes.',
    'Send it as one archive, or send its files.',
  ),
  archive_unsupported: content(
    'The archive uses a method that cannot be unpacked here.',
    'Pack it again as zip, tar.gz, tar.zst or plain 7z.',
  ),
  // convert, by the programs' own words
  bad_content: content('The data cannot be converted.', 'See the message of the converter.'),
  no_tiff: content(
    'There is no TIFF file among the files.',
    'Send .tif or .tiff files, or choose another sensor.',
  ),
  not_tiff: content('A file is not a TIFF.', 'Check the file, or choose another sensor.'),
  truncated: content('A file is cut off.', 'Send it again.'),
  slice_mismatch: content(
    'The slices differ in size or type.',
    'Send slices of one size and type, or as separate datasets.',
  ),
  empty_input: content('A file has no image.', 'Check the file.'),
  unsupported_type: content(
    'The values have a type that the product cannot hold.',
    'Convert the values to a supported type.',
  ),
  unsupported_samples: content(
    'The pixels have a number of samples that this sensor does not take.',
    'Use the sensor TIFF RGB.',
  ),
  not_netcdf: content('A file is not NetCDF.', 'Check the file, or choose another sensor.'),
  no_numeric_variable: content('The file has no numeric data variable.', 'Check the file.'),
  no_such_variable: content('The file has no variable of that name.', 'Choose one of those that are listed.'),
  not_hdf5: content('A file is not HDF5.', 'Check the file, or choose another sensor.'),
  not_nifti: content('A file is not NIfTI.', 'Check the file, or choose another sensor.'),
  no_numeric_dataset: content(
    'The file has no numeric dataset of two to four dimensions.',
    'Check the file.',
  ),
  no_such_dataset: content('The file has no dataset at that path.', 'Choose one of those that are listed.'),
  unsafe_hdf5: content(
    'The file has values or links that lie in other files.',
    'Save everything in one file.',
  ),
  declared_too_large: content(
    'The file declares far more values than it holds.',
    'Save only what was written.',
  ),
  several_files: content('There are several files where one is expected.', 'Send each as its own dataset.'),
  scan_mismatch: content(
    'Coordinates or intensities do not fit the volume of the scan.',
    'Name the datasets that belong together.',
  ),
  no_picture: content(
    'There is no TIFF, PNG or JPEG picture among the files.',
    'Send pictures, or choose another sensor.',
  ),
  not_picture: content(
    'A file is not a TIFF, PNG or JPEG picture.',
    'Check the file, or choose another sensor.',
  ),
  mosaic_mismatch: content(
    'The pictures do not fill the mosaic.',
    'Send every tile once, or correct the columns, the rows or the order.',
  ),
  no_target: content('There is no photo of the calibration target.', 'Send it, or leave the panels out.'),
  panel_mismatch: content(
    'The panels do not fit the photo of the target.',
    'Correct the boxes and reflectances of the panels.',
  ),
  no_idx: content('There is no IDX dataset among the files.', 'Send the .idx file together with its data.'),
  several_idx: content(
    'There are several IDX datasets among the files.',
    'Send one dataset, or name its main file visus.idx.',
  ),
  unsupported_shape: content(
    'The data have a number or size of axes that the product cannot hold.',
    'Send data of two to four dimensions.',
  ),
  unsupported_compression: content(
    'The file is compressed in a way that cannot be read.',
    'Save it again with a common compression.',
  ),
  no_proof: content('The product lacks the record it is proven by.', 'Convert again.'),
  unsafe_idx: content('The .idx file points outside the dataset.', 'Use relative names in the .idx file.'),
  missing_blocks: content(
    'Data files of the IDX dataset are missing or cannot be read.',
    'Send all its files.',
  ),
  program_failed: system('The program ended with an error.', 'It is tried again; see its log.'),
  program_stalled: system('The program made no progress.', 'It is tried again; see its log.'),
  program_timeout: system('The program ran longer than it may.', 'Raise its time limit.', false),
  program_memory: system('The program needed more memory than it may use.', 'Raise its memory limit.', false),
  program_missing: system(
    'The program that does this is not installed.',
    'Run `sluice doctor` on the worker.',
  ),
  // validate, publish
  product_differs: content(
    'The product is not equal to its source, so it was not published.',
    'Convert again; if it stays so, report it with the record.',
  ),
  product_incomplete: content('The product lacks files.', 'Convert again.'),
  product_damaged: content(
    'The published product is not what was published any more.',
    'Restore the files that are named from a copy, or convert the dataset again.',
  ),
  // publish targets
  target_unknown: system(
    'This server has no publish target of that name.',
    'Name it in the file of SLUICE_TARGETS, then retry it.',
    false,
  ),
  target_unreachable: system(
    'The publish target cannot be reached.',
    'It was tried several times; retry it when the target answers.',
  ),
  target_refused: system(
    'The publish target refused the product.',
    'Check its bucket or directory, and what its credentials may do there, then retry it.',
    false,
  ),
  target_denied: system(
    'The publish target refused the credentials.',
    'Correct its keys, or its user and password, in the file of SLUICE_TARGETS, restart the workers, then retry it.',
    false,
  ),
  target_untrusted: system(
    'The publish target did not show the ssh host key that is known of it.',
    'Ask its operator whether the key was changed; only then correct host_key, or known_hosts in SLUICE_SSH_DIR, and retry it.',
    false,
  ),
  target_full: system('The publish target has no space left.', 'Free space there, then retry it.', false),
  target_differs: system(
    'What the publish target holds is not what was published.',
    'Retry it; if it stays so, look at who else writes there.',
  ),
  // servers on this machine
  port_taken: system(
    'A port that is needed is taken by another program.',
    'End that program, or set the variable that is named to another port.',
    false,
  ),
  other_database: system(
    'The database was written by another version of its server.',
    'Start with that version, or move the database away.',
    false,
  ),
  foreign_keys: system(
    'This host does not have the keys of the installation.',
    'Copy keys.json from a host that has it; if it is lost for good, start once with SLUICE_NEW_KEYS=true.',
    false,
  ),
  already_running: caller(409, 'Sluice is already running here.', 'Use it, or stop it first.'),
  server_not_ready: system('A server that was started did not become ready.', 'See its log.'),
  // everywhere
  disk_full: system('There is no space left on the disk.', 'Free space, then retry it.'),
  store_missing: system(
    'The directory of all products is not there.',
    'Mount it, or correct JOB_OUT_DATA_DIR; it is tried again.',
  ),
  terminated: system('Somebody terminated the workflow in Temporal.', 'Retry it.', false),
  cancelled: row('caller', 409, 'It was cancelled.', 'Start it again if that was a mistake.'),
  internal: row('system', 500, 'Something broke inside Sluice.', 'Report it with the log.', true),
} as const satisfies Readonly<Record<string, FailureRow>>;
